"""Kills a running sweep with SIGKILL many times, and checks that it ends as an undisturbed one.

    python benchmarks/kills.py [--kills 20] [--seed 0]

A driver is killed as soon as k trials of its sweep have ended, where k is drawn at random from the
seed. If all trials have ended before the last kill, another sweep begins with an empty store. For
each sweep the program prints when it was killed, and whether the digest, the runs in MLflow and
their steps are those of the undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SWEEP = """
name: killed
datasets: [gaussian, moons]
objectives: [mle, {name: elbo, lambda: 1}, {name: selbo, lambda: 30, prior_samples: 16}]
seeds: 4
training: {steps: 1500, report_every: 50}
"""
TRIALS = 24


def command(*arguments: object) -> list[str]:
    """The command line of ``qhn sweep`` with these arguments."""
    return [sys.executable, "-m", "qhn.cli", "sweep", *map(str, arguments)]


def finish(file: Path, store: Path) -> str:
    """Run what is left of the sweep, and return the digest of its results."""
    summary = store.with_suffix(".json")
    subprocess.run(
        command("run", file, "--store", store, "--summary", summary),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return str(json.loads(summary.read_text())["results_digest"])


def ended(store: Path) -> int:
    """The number of trials that have a result in the store."""
    return len(list(store.glob("*/result.json")))


def run_until(file: Path, store: Path, count: int) -> bool:
    """Run until so many trials have ended, and kill the driver then.

    Returns:
        Whether the driver was killed. False if the sweep had ended before.
    """
    driver = subprocess.Popen(
        command("run", file, "--store", store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while ended(store) < count and driver.poll() is None:
        pass
    killed = driver.poll() is None
    driver.kill()
    driver.wait()
    return killed


def runs_are_right(store: Path) -> bool:
    """Whether MLflow has one finished run for each trial, with each step once and in order."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    experiment = client.get_experiment_by_name("killed").experiment_id
    runs = client.search_runs([experiment], "tags.`qhn.kind` = 'trial'", max_results=1000)
    steps = [
        [point.step for point in client.get_metric_history(run.info.run_id, "nll")] for run in runs
    ]
    return (
        len({run.data.tags["qhn.trial_id"] for run in runs}) == len(runs) == TRIALS
        and {run.info.status for run in runs} == {"FINISHED"}
        and all(each == list(range(0, 1501, 50)) for each in steps)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = folder / "killed.yaml"
        file.write_text(SWEEP)
        expected = finish(file, folder / "undisturbed")
        print(f"undisturbed: {expected[:16]}", flush=True)
        kills = sweeps = wrong = 0
        while kills < options.kills:
            store, moments = folder / f"store-{sweeps}", []
            sweeps += 1
            while kills < options.kills and (done := ended(store)) < TRIALS - 1:
                count = int(rng.integers(done, min(done + 8, TRIALS)))
                if run_until(file, store, count):
                    kills += 1
                    moments.append(count)
            digest, right = finish(file, store), False
            right = digest == expected and runs_are_right(store)
            wrong += not right
            print(f"killed when {moments} had ended: {'right' if right else 'WRONG'}", flush=True)
        print(f"{kills} kills in {sweeps} sweeps, {wrong} sweeps wrong")


if __name__ == "__main__":
    main()
