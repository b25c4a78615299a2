"""Kills parts of a cluster while a sweep runs on it, and checks that nothing is lost or paid twice.

    python benchmarks/chaos.py [--trials 200] [--kills 40] [--seed 0] [--repeats 1]

`cluster/local` starts a cluster on this machine. A sweep with simulated trials, and as many on a
rehearsed processor, runs on it. Whenever a number of trials that is drawn from the seed have ended,
something is killed with SIGKILL: the driver, a worker, the gateway, a process of a trial, the
queue's broker, the MLflow server, or PostgreSQL. What a person or a scheduler would start again is
started again at once. Afterwards there must be one finished run in MLflow for each planned trial,
with its steps in order; no job that was paid twice, by the processor's own record; and the digest
of the same sweep where nothing was disturbed. With ``--repeats N`` the seeds from ``--seed`` on are
used one after the other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from disaster.parts import Kill, Topology, kill_one, workplace
from disaster.sweep import LANE, sweep_file, undisturbed
from disaster.verdict import wrong_payments, wrong_runs

from qhn.core.errors import QhnError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

#: How much more often than others some victims are drawn.
WEIGHTS = {
    "actor": 4,
    "driver": 2,
    "broker": 2,
    "worker-1": 1,
    "gateway": 1,
    "mlflow": 1,
    "postgres": 1,
}
_LIVE = 8
_LOOK_EVERY_S = 0.3
# An end without progress for so long is an error, and not worth waiting for.
_STUCK_S = 300.0


@dataclass
class Disturbed:
    """A sweep on a cluster, and the driver that runs it now.

    Attributes:
        file: the sweep file.
        topology: the cluster.
        environment: the environment of its clients.
        summary: the file to which the driver writes how a run went.
        log: where the driver's output goes.
        kills: what was killed, and how often.
        drivers: how many drivers were started.
    """

    file: Path
    topology: Topology
    environment: dict[str, str]
    summary: Path
    log: IO[bytes]
    kills: Counter[str] = field(default_factory=Counter)
    drivers: int = 0

    def __post_init__(self) -> None:
        plan = make_plan(parse_spec(self.file.read_text()))
        self._planned = [trial.trial_id for trial in plan.trials]
        self._store = open_store(self.environment["QHN_STORE"])
        self._driver = self._start()

    def ended(self) -> int:
        """How many trials have a result in the store."""
        try:
            return len(self._store.finished(self._planned))
        except QhnError:
            return 0

    def is_running(self) -> bool:
        """Whether the driver runs; a driver that was lost is replaced first."""
        code = self._driver.poll()
        if code is None:
            return True
        # 3 means that Ray has ended it, and a negative number that it was killed.
        if code == 3 or code < 0:
            self._driver = self._start()
            return True
        return False

    def kill(self, victim: str, rng: np.random.Generator) -> bool:
        """Kill something, and start again what does not start by itself.

        Returns:
            Whether there was anything to kill.
        """
        kills: dict[str, Kill] = {
            "driver": self._kill_driver,
            "actor": lambda: kill_one(self.topology.actors("ResourceTrainable"), rng.integers),
            "broker": lambda: kill_one(self.topology.actors("BrokerActor"), rng.integers),
        }
        killed = kills.get(victim, lambda: self._kill_part(victim))()
        self.kills[victim] += killed
        return killed

    def finish(self) -> dict[str, object]:
        """Wait for the driver's end, and return the summary of its run."""
        while self.is_running():
            time.sleep(_LOOK_EVERY_S)
        if not self.summary.exists():
            code = self._driver.returncode
            raise SystemExit(f"the driver ended with exit code {code}; see {self.log.name}")
        return dict(json.loads(self.summary.read_text()))

    def end(self) -> None:
        """Kill the driver, if it still runs."""
        self._kill_driver()

    def _start(self) -> subprocess.Popen[bytes]:
        self.drivers += 1
        address = self.environment["QHN_RAY_ADDRESS"]
        options = ["--address", address, "--summary", str(self.summary)]
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "qhn.cli",
                "sweep",
                "run",
                str(self.file),
                "--no-report",
                *options,
            ],
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def _kill_driver(self) -> bool:
        # The driver dies with the process that watches it; see `qhn.cli.supervisor`.
        self._driver.kill()
        self._driver.wait()
        return True

    def _kill_part(self, part: str) -> bool:
        self.topology.kill(part)
        self.topology.start(part)
        return True


def disturb(sweep: Disturbed, trials: int, kills: int, rng: np.random.Generator) -> None:
    """Kill until all kills were made or the sweep has ended."""
    names = list(WEIGHTS)
    weights = np.array([WEIGHTS[name] for name in names], dtype=float)
    # Moments are spread over the sweep, so that each part of it is disturbed.
    moments = (np.arange(kills) + rng.random(kills)) * (trials - 2) / kills
    seen, moved = 0, time.monotonic()
    for moment in moments:
        while (ended := sweep.ended()) < moment:
            if not sweep.is_running():
                return
            if ended > seen:
                seen, moved = ended, time.monotonic()
            if time.monotonic() - moved > _STUCK_S:
                raise SystemExit(f"no trial has ended for {_STUCK_S:.0f} s, at {ended}")
            time.sleep(_LOOK_EVERY_S)
        while not sweep.kill(str(rng.choice(names, p=weights / weights.sum())), rng):
            pass


def measure(options: argparse.Namespace, seed: int, expected: str, folder: Path) -> list[str]:
    """Disturb one sweep on a new cluster, print what happened, and return what is wrong."""
    folder.mkdir()
    record = folder / "qpu"
    text = sweep_file(options.trials, record, options.speedup)
    file = folder / "chaos.yaml"
    file.write_text(text)
    rng, begin = np.random.default_rng(seed), time.monotonic()
    with ExitStack() as stack:
        topology = stack.enter_context(Topology(folder / "cluster", "--lanes", f"{LANE}={_LIVE}"))
        environment = topology.environment()
        topology.show_to_this_process()
        log = stack.enter_context((folder / "driver.txt").open("wb"))
        sweep = Disturbed(file, topology, environment, folder / "summary.json", log)
        stack.callback(sweep.end)
        disturb(sweep, options.trials, options.kills, rng)
        summary = sweep.finish()
        jobs, wrong = wrong_payments(record)
        wrong += wrong_runs(text)
    if summary["results_digest"] != expected:
        wrong.append("other results than undisturbed")
    done = sum(sweep.kills.values())
    print(
        f"seed {seed}: {done} kills {dict(sweep.kills)}, {sweep.drivers} drivers, {jobs} jobs, "
        f"{time.monotonic() - begin:.0f} s: {'; '.join(wrong) or 'right'}",
        flush=True,
    )
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--speedup", type=float, default=200.0, help="of the processor's clock")
    parser.add_argument("--keep", type=Path, help="a folder for all files, which are kept then")
    options = parser.parse_args()
    with workplace(options.keep) as place:
        text = sweep_file(options.trials, place / "calm-qpu", options.speedup)
        expected = undisturbed(text, place)
        print(f"undisturbed: {expected}", flush=True)
        seeds = range(options.seed, options.seed + options.repeats)
        wrong = [measure(options, seed, expected, place / str(seed)) for seed in seeds]
    print(f"{len(wrong)} sweeps, {sum(map(bool, wrong))} of them wrong")
    sys.exit(any(wrong))


if __name__ == "__main__":
    main()
