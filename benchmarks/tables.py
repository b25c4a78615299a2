"""Measures loss tables of all 2^N networks on 1,000 points with one core, and starting times.

    python benchmarks/tables.py

Times are the fastest of three turns. The peak of memory is that of what NumPy and Python allocate.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # NumPy's libraries read it when they are imported

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import qhn  # noqa: E402

POINTS = 1000
TURNS = 3
NETWORKS = {
    "2^14 networks, 3 hidden units": qhn.networks.mlp(2, 3),
    "2^18 networks, 4 hidden units": qhn.networks.mlp(2, 4),
    "2^17 networks, logistic": qhn.networks.logistic(16),
}
PROGRAMS = {
    "import qhn": "import qhn",
    "Python alone": "",
    "first gradient of a process, compiled before": (
        "import numpy as np, qhn\n"
        "engine = qhn.Engine(qhn.Ansatz.brickwork(14, 2))\n"
        "engine.gradient(engine.probabilities(np.ones((2, 2, 14))))"
    ),
}


def fastest(call: Callable[[], object]) -> float:
    """The seconds of the fastest of three turns."""
    times = []
    for _ in range(TURNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def peak(call: Callable[[], object]) -> float:
    """The largest memory that is allocated during a call, in MiB."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def main() -> None:
    rng = np.random.default_rng(0)
    table = Table("what", "seconds", "MiB at the peak")
    for name, network in NETWORKS.items():
        x = rng.standard_normal((POINTS, network.n_inputs))
        y = (rng.random(POINTS) > 0.5).astype(np.float64)

        def make(network: object = network, x: object = x, y: object = y) -> object:
            return qhn.loss_table(network, x, y)

        table.add_row(name, f"{fastest(make):.3f}", f"{peak(make):.0f}")
    for name, program in PROGRAMS.items():
        command = [sys.executable, "-c", program]
        seconds = fastest(lambda command=command: subprocess.run(command, check=True))
        table.add_row(f"process: {name}", f"{seconds:.3f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
