"""Training steps with any contender, on random data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engines.base import Contender
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation.problem import Problem, build_problem
from qhn.core.networks import logistic
from qhn.core.objectives.objective import Name, Objective
from qhn.core.objectives.schedules import Constant
from qhn.core.training.optimisers import Adam
from qhn.core.training.trainer import Trainer

N_POINTS = 2  # the number of points changes only the values in the loss table, not its size


def make_problem(n_qubits: int) -> Problem:
    """A problem with random data whose networks have this number of binary parameters."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(N_POINTS, n_qubits - 1)), np.arange(N_POINTS) % 2.0
    return build_problem(Dataset("random", x, y, x, y), logistic(n_qubits - 1))


def step(
    problem: Problem, ansatz: Ansatz, contender: Contender, name: Name
) -> Callable[[], object]:
    """A function that makes one training step without a report.

    A step consists of the distribution, the objective, the gradient and the Adam update.
    """
    trainer = Trainer(
        problem=problem,
        ansatz=ansatz,
        objective=Objective.of(name, problem),
        schedule=None if name == "mle" else Constant(1.0),
        optimiser=Adam(0.1),
        seed=0,
        steps=10**9,
        report_every=10**9,
        best_of=1,
        distribution=contender,
    )
    trainer.advance()  # the first step makes a report
    return trainer.advance
