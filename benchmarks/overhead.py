"""What a sweep costs beyond training, and how near that is to what its parts cost alone.

    python benchmarks/overhead.py [--trials N] [--steps N] [--turns N]
    python benchmarks/overhead.py --file sweeps/mmd-bandwidth.yaml [--turns N]

Each turn measures, one after the other on this machine, as many slots as cores:

sweep    the whole command ``qhn sweep run``, from its start to its end, on an empty store
alone    the same trials one after the other in one process, with a store, without Ray and MLflow
tune     Ray Tune alone: the same number of trials that do nothing, with the same emission,
         scheduler and reuse of processes
mlflow   the sweep's finished store written to a new MLflow database by one process, with the
         database settings that the sweep has

Wall seconds of ``sweep`` and ``tune`` are without Ray's start. Wall seconds of ``alone`` are those
of the trials: imports, compiled code and loss tables are there before, since a slot of the sweep
that waits for them trains nothing. Processor seconds are those of every process that took part, of
Ray's own as well, as far as samples every fifth of a second have seen them.

::

    overhead = (wall of sweep − wall of alone / slots) / trials
    floor    = the largest of tune, mlflow, and their processor seconds together / cores, / trials
    share    = wall of alone / (slots · wall of the whole sweep, Ray's start included)

Memory is the largest proportional set size (PSS) of driver and writer together, in which pages
that processes share count once. With --file the sweep is that of a file, and only ``sweep`` and
``alone`` are measured, for the share of the cores' time that trains.
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
    """One turn; times in seconds.

    Attributes:
        parts: each part by its name.
        slots: trials at once, which is also the number of cores.
    """

    parts: dict[str, Measured]
    slots: int

    @property
    def trials(self) -> int:
        return self.parts["sweep"].trials

    def per_trial_ms(self, seconds: float) -> float:
        return seconds / self.trials * 1000

    @property
    def overhead_ms(self) -> float:
        training = self.parts["alone"].wall / self.slots
        return self.per_trial_ms(self.parts["sweep"].wall - training)

    @property
    def floor_ms(self) -> float:
        tune, mlflow = self.parts["tune"], self.parts["mlflow"]
        shared = (tune.processor + mlflow.processor) / self.slots
        return self.per_trial_ms(max(tune.wall, mlflow.wall, shared))

    @property
    def share(self) -> float:
        whole = self.parts["sweep"].wall + self.parts["sweep"].ray_start
        return self.parts["alone"].wall / (self.slots * whole)


def take_turn(file: Path, parts: tuple[str, ...]) -> Turn:
    """Measure each part once, on a store of its own."""
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
        file, parts = options.file, PARTS[:2]
        if file is None:
            file, parts = Path(folder, "overhead.yaml"), PARTS
            file.write_text(SWEEP.format(seeds=options.trials // 2, steps=options.steps))
        turns = []
        for number in range(options.turns):
            print(f"turn {number + 1} of {options.turns}", flush=True)
            turns.append(take_turn(file, parts))
    print_medians(turns)


def print_medians(turns: list[Turn]) -> None:
    """The medians over all turns; of a ratio, that of the turns' ratios."""

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
