"""Kills parts of sweeps on rehearsed processors, and checks what was paid and what came out.

    python benchmarks/lane_kills.py [--submissions 1000] [--seed 0]

Sweeps run on `ibm-open`, whose jobs are found again by a tag, and on `braket`, where a repeated
submission gives the job that exists. A fifth of all calls fails, 5% of the submissions time out
(half of those are accepted), listings lag, and sessions end after 50 jobs. Meanwhile trial actors,
the broker and the driver are killed with SIGKILL at moments that are drawn from the seed. For each
sweep the program prints its kills, and how often the gap was hit between the provider's taking a
job and the ledger's knowing its id. Then it compares the provider's own record with the ledger, and
the results with those of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np

# What kills and checks belongs to the tests, which do the same on a smaller scale.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "chaos"))

from killing import Killer, Tally
from storm import QUEUE, Storm, undisturbed
from witnesses import Witnesses, disagreements

from qhn.devices.rehearsal.record import Record

STORMS = (
    Storm("ibm-open", trials=12, steps=30, speedup=100, together=2),
    Storm("braket", trials=12, steps=30, speedup=40, jobs_in_flight=4),
)
VICTIMS = ("actor", "actor", "actor", "broker", "both", "both", "driver")


def start(file: Path, store: Path) -> subprocess.Popen[bytes]:
    """Start the sweep, or go on with it."""
    summary = store.with_suffix(".json")
    line = ["sweep", "run", str(file), "--store", str(store), "--summary", str(summary)]
    line.append("--no-report")
    return subprocess.Popen(
        [sys.executable, "-m", "qhn.cli", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def jobs(store: Path) -> int:
    """How many jobs the provider has taken."""
    witnesses = Witnesses(store)
    found = witnesses.jobs_since(0)
    witnesses.close()
    return len(found)


def run(file: Path, store: Path, rng: np.random.Generator, tally: Tally) -> str:
    """Run a sweep to its end through all kills; the digest of its results."""
    while True:
        driver = start(file, store)
        killer = Killer(store, driver, tally)
        victim = "actor"
        while victim != "driver":
            victim = str(rng.choice(VICTIMS))
            number = jobs(store) + int(rng.integers(5, 40))
            if not killer.kill_after(number, victim, in_gap=bool(rng.random() < 0.7)):
                break
        killer.close()
        if driver.wait() >= 0:
            summary = json.loads(store.with_suffix(".json").read_text())
            assert summary["finished"] + summary["skipped"] == summary["trials"], summary
            return str(summary["results_digest"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    made = wrong = sweeps = 0
    whole = Tally()
    with tempfile.TemporaryDirectory() as place:
        for storm in cycle(STORMS):
            if made >= options.submissions:
                break
            folder = Path(place) / str(sweeps)
            folder.mkdir()
            file, store, tally, begin = (
                folder / "storm.yaml",
                folder / "store",
                Tally(),
                time.time(),
            )
            file.write_text(storm.text)
            expected = undisturbed(storm, folder / "calm")
            digest = run(file, store, rng, tally)
            with Record(store / "devices" / QUEUE) as record:
                taken, events = len(record.jobs()), record.events()
            found = disagreements(store, storm)
            found += ["other results than undisturbed"] if digest != expected else []
            wrong += bool(found)
            sweeps += 1
            made += taken
            whole.kills += tally.kills
            whole.gaps += tally.gaps
            whole.takeovers_s += tally.takeovers_s
            print(
                f"{storm.preset}: {taken} jobs taken, {len(events)} calls failed; killed "
                f"{dict(tally.kills)}, in the gap {dict(tally.gaps)}; "
                f"{time.time() - begin:.0f} s: {'; '.join(found) or 'right'}",
                flush=True,
            )
    longest = max(whole.takeovers_s, default=0.0)
    print(f"{made} jobs in {sweeps} sweeps, {wrong} sweeps wrong")
    print(f"{sum(whole.kills.values())} kills {dict(whole.kills)}, in the gap {dict(whole.gaps)}")
    print(f"a dead holder's job was taken up after at most {longest:.1f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
