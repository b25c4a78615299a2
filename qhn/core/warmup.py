"""Compile everything and fill the cache of compiled code: ``python -m qhn.core.warmup``.

Run it when an image is built, or before many processes start at once.
"""

from __future__ import annotations

import time

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import Dataset
from qhn.core.engine.engine import Engine
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import build_problem
from qhn.core.networks import logistic
from qhn.core.objectives.kernels import mmd2
from qhn.core.objectives.objective import Objective


def compile_all() -> float:
    """Compile every entry point that is not in the cache yet, and load all of them.

    Returns:
        The seconds that it took: some tens on the first use of a machine, less than one later.
    """
    start = time.perf_counter()
    # Numba compiles a function when it is called. Six qubits are 64 outcomes, the fewest for which
    # the objectives use compiled code.
    ansatz = Ansatz.brickwork(n_qubits=6, depth=2)
    engine = Engine(ansatz)
    q = engine.probabilities(np.ones(ansatz.parameter_shape))
    for name in ("mle", "elbo", "selbo"):
        _, observable = Objective(name, np.zeros(q.size), 1).value_and_observable(q, 1.0)
        engine.gradient(observable)
    mmd2(q, 1.0)
    x, y = np.zeros((1, 5)), np.ones(1)
    problem = build_problem(Dataset("one point", x, y, x, y), logistic(5))
    Evaluator(problem).accuracies(q, 1, np.random.default_rng(0))
    return time.perf_counter() - start


if __name__ == "__main__":
    print(f"compiled code is ready ({compile_all():.1f} s)")
