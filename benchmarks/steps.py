"""Compares the time of a training step with that in another checkout of this repository.

    git worktree add --detach OLD f0fdd86
    python benchmarks/steps.py OLD [--pairs 15]

For each pair both checkouts train the same trial, each in a process of its own. The order changes
from pair to pair, because the speed of the machine drifts. The program prints the median ratio of
the times (here / there) over all pairs, and its 95% interval by the sign test.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from math import comb
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
# This uses only public names, which every version has.
TRAIN = """
import sys, time
import qhn

hidden, steps, repeats = map(int, sys.argv[1:])
data = qhn.make_dataset("moons", train=100, test=1000)
problem = qhn.build_problem(data, qhn.networks.mlp(2, hidden))
ansatz = qhn.Ansatz.brickwork(problem.n_qubits, depth=2)
best = float("inf")
for repeat in range(repeats):
    trainer = qhn.Trainer(
        problem=problem, ansatz=ansatz, objective=qhn.Objective("elbo", problem.nll, 100),
        schedule=qhn.schedules.Constant(1.0), optimiser=qhn.Adam(0.1), seed=0, steps=10**9,
        report_every=10**9, best_of=64, distribution=qhn.Engine(ansatz),
    )
    trainer.advance()
    begin = time.perf_counter()
    for _ in range(steps):
        trainer.advance()
    best = min(best, time.perf_counter() - begin)
print(best / steps)
"""


def seconds(checkout: Path, *arguments: int) -> float:
    """The seconds of one step in a checkout: the fastest of some repetitions in one process."""
    run = subprocess.run(
        [sys.executable, "-c", TRAIN, *map(str, arguments)],
        # So that the package of that checkout is imported, and not the one beside this file.
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(run.stdout)


def interval(values: list[float]) -> tuple[float, float]:
    """The 95% interval of the median by the sign test. Its ends are two of the values."""
    ordered, n = sorted(values), len(values)
    tail, place = 0.0, 0
    while tail + comb(n, place) / 2**n <= 0.025:
        tail += comb(n, place) / 2**n
        place += 1
    place = max(place, 1)
    return ordered[place - 1], ordered[n - place]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    for hidden, steps, repeats in ((1, 20_000, 5), (3, 2_000, 5)):
        arguments = (hidden, steps, repeats)
        for checkout in (HERE, options.other):
            seconds(checkout, hidden, 10, 1)  # compiles the engine if that is necessary
        pairs = []
        for number in range(options.pairs):
            order = (HERE, options.other) if number % 2 else (options.other, HERE)
            found = {checkout: seconds(checkout, *arguments) for checkout in order}
            pairs.append((found[HERE], found[options.other]))
        ratios = [here / there for here, there in pairs]
        low, high = interval(ratios)
        print(
            f"{4 * hidden + 2} qubits: {statistics.median(h for h, _ in pairs) * 1e6:.2f} µs here, "
            f"{statistics.median(o for _, o in pairs) * 1e6:.2f} µs there, median ratio "
            f"{statistics.median(ratios):.3f}, 95% interval {low:.3f} to {high:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
