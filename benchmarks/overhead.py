"""Measures what a sweep takes beyond training, and compares that with its parts measured alone.

    python benchmarks/overhead.py [--trials N] [--steps N] [--turns N]
    python benchmarks/overhead.py --file sweeps/mmd-bandwidth.yaml [--turns N]

Each turn measures these parts one after the other, with as many slots as the machine has cores:

sweep    the whole command ``qhn sweep run`` with an empty store
alone    the same trials one after the other in one process, with a store, without Ray and MLflow
tune     Ray Tune alone: the same number of trials, which do nothing, with the same emission,
         scheduler and reuse of processes
mlflow   one process writes the finished store of the sweep to a new MLflow database, with the same
         database settings as in the sweep

The wall seconds of ``sweep`` and ``tune`` do not contain the start of Ray. Those of ``alone`` are
only the time of the trials: imports, compiling and loss tables come before, because a slot of the
sweep that waits for them does not train. Processor seconds are those of all processes, also of
Ray's, as far as they were seen in samples that are taken every fifth of a second.

::

    overhead = (wall of sweep − wall of alone / slots) / trials
    floor    = the largest of tune, mlflow, and their processor seconds together / cores, / trials
    share    = wall of alone / (slots · wall of the whole sweep, Ray's start included)

Memory is the largest proportional set size (PSS) of driver and writer together, in which a page
that several processes share is divided between them. With --file a sweep file is used, and only
``sweep`` and ``alone`` are measured, for the share of the cores' time that is spent training.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestration.measuring import Measured, run_part

from qhn.sweeps.driver.local_ray import available_cpus

SWEEP = """
name: overhead
datasets: [moons]
objectives: [mle, {{name: elbo, lambda: [1]}}]
seeds: {seeds}
training: {{steps: {steps}}}
"""
PARTS = ("sweep", "alone", "tune", "mlflow")


@dataclass(frozen=True)
class Turn:
    """The measurements of one turn.

    Attributes:
        parts: the measurements of each part, by its name.
        slots: how many trials run at once, which is also the number of cores.
    """

    parts: dict[str, Measured]
    slots: int

    @property
    def trials(self) -> int:
        """The number of trials of the sweep."""
        return self.parts["sweep"].trials

    def per_trial_ms(self, seconds: float) -> float:
        """Seconds of the whole sweep as milliseconds for each trial."""
        return seconds / self.trials * 1000

    @property
    def overhead_ms(self) -> float:
        """The overhead in milliseconds for each trial, see the formula above."""
        training = self.parts["alone"].wall / self.slots
        return self.per_trial_ms(self.parts["sweep"].wall - training)

    @property
    def floor_ms(self) -> float:
        """The floor in milliseconds for each trial, see the formula above."""
        tune, mlflow = self.parts["tune"], self.parts["mlflow"]
        shared = (tune.processor + mlflow.processor) / self.slots
        return self.per_trial_ms(max(tune.wall, mlflow.wall, shared))

    @property
    def share(self) -> float:
        """The share of the cores' time that is spent training."""
        whole = self.parts["sweep"].wall + self.parts["sweep"].ray_start
        return self.parts["alone"].wall / (self.slots * whole)


def take_turn(file: Path, parts: tuple[str, ...]) -> Turn:
    """Measure each part once, with an empty store."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            found = measured[part] = run_part(part, file, Path(folder))
            print(f"  {part:7s}{found}", flush=True)
    return Turn(measured, available_cpus())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=500, help="an even number")
    parser.add_argument("--steps", type=int, default=20, help="of each trial")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--file", type=Path, help="a sweep file, for the share that trains")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # The parts are measured in other processes, which have a working directory of their own.
        file, parts = options.file and options.file.absolute(), PARTS[:2]
        if file is None:
            file, parts = Path(folder, "overhead.yaml"), PARTS
            file.write_text(SWEEP.format(seeds=options.trials // 2, steps=options.steps))
        turns = []
        for number in range(options.turns):
            print(f"turn {number + 1} of {options.turns}", flush=True)
            turns.append(take_turn(file, parts))
    print_medians(turns)


def print_medians(turns: list[Turn]) -> None:
    """Print the medians over all turns. For a ratio it is the median of the ratios of the turns."""

    def median(values: list[float]) -> str:
        return f"{statistics.median(values):.2f}  ({', '.join(f'{v:.2f}' for v in values)})"

    print(f"medians of {len(turns)} turns, {turns[0].trials} trials, {turns[0].slots} slots:")
    if "tune" in turns[0].parts:
        print("overhead, ms per trial   ", median([turn.overhead_ms for turn in turns]))
        print("floor, ms per trial      ", median([turn.floor_ms for turn in turns]))
        print("overhead / floor         ", median([t.overhead_ms / t.floor_ms for t in turns]))
        for part in ("tune", "mlflow"):
            walls = [turn.per_trial_ms(turn.parts[part].wall) for turn in turns]
            print(f"{part + ' alone, ms per trial':25s}", median(walls))
    print("share that trains        ", median([turn.share for turn in turns]))
    print("driver and writer, MB    ", median([t.parts["sweep"].memory_mb for t in turns]))


if __name__ == "__main__":
    main()
