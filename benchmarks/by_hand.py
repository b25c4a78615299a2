"""Compares a sweep with the stack that a skilled user assembles for it: seconds for each trial.

    python benchmarks/by_hand.py [--turns 3] [--trials-by-hand 16]

The sweep has 14 qubits, one layer, 128 trials of 50 steps, half MLE and half ELBO, and the default
reports. The stack by hand is a function trainable of Ray Tune that reports at the same steps; a
QNode of lightning.qubit with its adjoint gradient, and Adam of PennyLane; and Ray's
``MLflowLoggerCallback`` on SQLite. It is measured twice: with a new process for each trial, which
is Tune's default, and with processes that are used again (``reuse_actors=True``).

By hand a trial takes seconds, so fewer are run, and the figure for all 128 is computed: what comes
before the first round of trials has ended, once, and after that the mean time from one end of a
trial to the next. qhn runs all of them. Each turn measures one after the other, every command in a
process of its own from its start to its end, with empty folders and as many slots as there are
cores.

First the program times the honest ways to the gradient, and checks that both train the same: one
trial of each objective is trained by hand, and at the angles of each report qhn's objective and
metrics must be those of the stack by hand within 1e-6. What that is spared: its loss tables come
from qhn, and Ray starts without a dashboard.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from handmade.agreement import check_agreement, time_gradients

from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.spec import parse_spec

SWEEP = """
name: by-hand
datasets: [moons]
ansatze: [{{depth: 1}}]
objectives: [mle, {{name: elbo, lambda: 1}}]
seeds: {seeds}
training: {{steps: 50}}
"""
WAYS = {"a process for each trial": (), "processes used again": ("--reuse",)}


@dataclass(frozen=True)
class Cost:
    """What a whole sweep costs, in seconds.

    Attributes:
        whole: from the start of the command to its end.
        ray_start: of these, until Ray had started.
    """

    whole: float
    ray_start: float

    @property
    def without_ray(self) -> float:
        """The seconds without the start of Ray."""
        return self.whole - self.ray_start


def run(command: list[str]) -> float:
    """The wall seconds of a Python command."""
    begin = time.monotonic()
    place = Path(__file__).parent
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=place)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
    return time.monotonic() - begin


def by_qhn(file: Path, folder: Path) -> Cost:
    """Measure the whole sweep with qhn."""
    summary = folder / "qhn.json"
    command = ["-m", "qhn.cli", "sweep", "run", str(file), "--no-report"]
    command += ["--store", str(folder / "store")]
    seconds = run([*command, "--summary", str(summary), "--cpus", str(available_cpus())])
    return Cost(seconds, json.loads(summary.read_text())["ray_start_seconds"])


def by_hand(file: Path, folder: Path, trials: int, planned: int, flags: tuple[str, ...]) -> Cost:
    """Measure some trials by hand, and compute what all planned ones would cost."""
    folder.mkdir()
    account, slots = folder / "account.json", available_cpus()
    command = ["-m", "handmade.sweep", str(file), str(folder), str(account)]
    seconds = run([*command, "--trials", str(trials), "--slots", str(slots), *flags])
    said = json.loads(account.read_text())
    ends = said["ends"]
    # The first round pays for imports, and its trials end together.
    per_trial = (ends[-1] - ends[slots - 1]) / (len(ends) - slots)
    return Cost(seconds + (planned - trials) * per_trial, said["ray_start_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--trials", type=int, default=128, help="of qhn; an even number")
    parser.add_argument("--trials-by-hand", type=int, default=16, help="an even number")
    options = parser.parse_args()
    if options.trials_by_hand < 3 * available_cpus():
        raise SystemExit(f"--trials-by-hand must be at least 3 rounds: {3 * available_cpus()}")
    text = SWEEP.format(seeds=options.trials // 2)
    plan = make_plan(parse_spec(text))
    one_of_each = {trial.config.objective.name: trial.config for trial in plan.trials}
    for line in time_gradients(one_of_each["mle"]):
        print(line, flush=True)
    for config in one_of_each.values():
        print(check_agreement(config), flush=True)
    print(f"load before: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="by-hand-") as place:
        file = Path(place, "by-hand.yaml")
        file.write_text(text)
        turns = [
            take_turn(file, Path(place, str(turn)), options.trials_by_hand, plan)
            for turn in range(options.turns)
        ]
    show(turns, plan, options.trials_by_hand)


def take_turn(file: Path, folder: Path, trials: int, plan: Plan) -> dict[str, Cost]:
    """Measure everything once."""
    folder.mkdir()
    costs = {"qhn": by_qhn(file, folder)}
    for name, flags in WAYS.items():
        costs[name] = by_hand(
            file, folder / name.replace(" ", "-"), trials, len(plan.trials), flags
        )
    for name, cost in costs.items():
        print(f"  {name:26s}{cost.whole:8.1f} s, {cost.ray_start:.1f} s of them Ray's start")
    print(f"  load {os.getloadavg()[0]:.1f}", flush=True)
    return costs


def show(turns: list[dict[str, Cost]], plan: Plan, trials_by_hand: int) -> None:
    """Print seconds for each trial and the ratios: medians over the turns."""
    planned = len(plan.trials)

    def median(values: list[float]) -> str:
        return f"{statistics.median(values):8.3f}  ({', '.join(f'{v:.3f}' for v in values)})"

    print(
        f"{planned} trials, {available_cpus()} slots, medians of {len(turns)} turns; by hand "
        f"{trials_by_hand} trials were run, and the rest was computed"
    )
    for what, seconds in (
        ("with the start of Ray", lambda cost: cost.whole),
        ("without it", lambda cost: cost.without_ray),
    ):
        print(f"seconds for each trial, {what}")
        for name in turns[0]:
            print(f"  {name:30s}{median([seconds(turn[name]) / planned for turn in turns])}")
        for name in WAYS:
            ratios = [seconds(turn[name]) / seconds(turn["qhn"]) for turn in turns]
            print(f"  {name + ' / qhn':30s}{median(ratios)}")


if __name__ == "__main__":
    main()
