"""What a sweep costs beyond training: 500 trials of 20 steps through Ray Tune, store and MLflow.

    python benchmarks/overhead.py [--trials N] [--steps N]

Prints the run's own summary: wall time from the command's start (Ray's start included), seconds
of training summed over the trials, and milliseconds of wall time beyond training per trial.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SWEEP = """
name: overhead
datasets: [moons]
objectives: [mle, {{name: elbo, lambda: [1]}}]
seeds: {seeds}
training: {{steps: {steps}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500, help="an even number")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, summary = Path(folder, "overhead.yaml"), Path(folder, "summary.json")
        file.write_text(SWEEP.format(seeds=options.trials // 2, steps=options.steps))
        command = ["-m", "qhn.cli", "sweep", "run", str(file)]
        places = ["--store", str(Path(folder, "store")), "--summary", str(summary)]
        subprocess.run([sys.executable, *command, *places], check=True)
        print(summary.read_text())


if __name__ == "__main__":
    main()
