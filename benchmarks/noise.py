"""Depolarising noise by Pauli frames beside the exact engine without noise, on one core.

    python benchmarks/noise.py

Milliseconds, the fastest turn, for a brickwork circuit with random angles and a dense diagonal
observable. ``circuits`` is the number of distinct circuits among the trajectories, each of which is
run once. Every turn draws new frames and groups them, as a training does at each step.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy is imported

import numpy as np  # noqa: E402
from engines.timing import Key, interleave  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from qhn.core.ansatz import Ansatz  # noqa: E402
from qhn.core.engine.engine import Engine  # noqa: E402
from qhn.core.noise.depolarising import Depolarising  # noqa: E402
from qhn.core.noise.engine import NoisyEngine  # noqa: E402
from qhn.core.noise.frames import Frames, draw_frames  # noqa: E402

# Qubits, layers, trajectories, p1 and p2.
CASES = (
    (6, 2, 256, 0.001, 0.004),
    (14, 2, 256, 0.001, 0.004),
    (14, 2, 256, 0.01, 0.04),
    (17, 4, 256, 0.001, 0.00375),
    (17, 4, 1500, 0.001, 0.00375),
)
WHAT = ("without noise", "frames", "samples", "value", "gradient", "and its errors")
ROUNDS, SECONDS = 10, 6.0


def measured(
    n: int, layers: int, trajectories: int, noise: Depolarising
) -> tuple[int, list[float]]:
    """The number of distinct circuits, and milliseconds in the order of `WHAT`."""
    ansatz = Ansatz.brickwork(n, layers)
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, ansatz.parameter_shape)
    observable = rng.normal(size=2**n)
    plain, noisy = Engine(ansatz), NoisyEngine(ansatz)

    def without() -> None:
        plain.probabilities(angles)
        plain.gradient(observable)

    # Each turn draws the same frames, so that all turns do the same work.
    def frames() -> Frames:
        return draw_frames(ansatz, noise, trajectories, np.random.default_rng(1))

    calls = (
        without,
        lambda: frames().groups,
        lambda: noisy.sample(angles, frames(), rng),
        lambda: noisy.expectation(angles, observable, frames()),
        lambda: noisy.gradient(angles, observable, frames()),
        lambda: noisy.gradient(angles, observable, frames(), errors=True),
    )
    keys: list[Key] = [(what, "") for what in WHAT]
    found = interleave(dict(zip(keys, calls, strict=True)), rounds=ROUNDS, seconds=SECONDS)
    return len(frames().groups), [found[key].best for key in keys]


def main() -> None:
    table = Table("qubits", "layers", "trajectories", "p1", "p2", "circuits", *WHAT)
    for n, layers, trajectories, p1, p2 in CASES:
        circuits, times = measured(n, layers, trajectories, Depolarising(p1, p2))
        settings = (n, layers, trajectories, p1, p2, circuits)
        table.add_row(*map(str, settings), *(f"{ms:.3g}" for ms in times))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
