"""A training worked by hand: a distribution, an objective, and trainers on both."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.bits import all_bits
from qhn.core.data.datasets import make_dataset
from qhn.core.evaluation.problem import build_problem
from qhn.core.objectives.schedules import Exponential
from qhn.core.training.optimisers import Adam
from qhn.core.training.trainer import Trainer

PROBLEM = build_problem(make_dataset("moons", train=30, test=20, seed=0), networks.mlp(2, 1))
ANSATZ = Ansatz.brickwork(n_qubits=6, depth=1)


class IndependentBits:
    """One layer of RY and RZ on |0…0⟩: bit i is 1 with probability sin²(θ_i / 2)."""

    def __init__(self):
        self.calls: list[np.ndarray] = []

    def probabilities(self, parameters):
        self.calls.append(parameters.copy())
        self.angles = parameters[0, 0].copy()
        one = np.sin(self.angles / 2) ** 2
        self.factors = np.where(all_bits(6) == 1, one, 1 - one)
        return self.factors.prod(axis=1)

    def gradient(self, observable):
        slope = np.where(all_bits(6) == 1, 1, -1) * np.sin(self.angles) / 2
        found = np.zeros((1, 2, 6))
        for i in range(6):
            others = np.delete(self.factors, i, axis=1).prod(axis=1)
            found[0, 0, i] = (observable * others * slope[:, i]).sum()
        return found


@dataclass
class Squared:
    """E_q[nll] + λ Σ q²: an objective that is easy to check, recording what it is given."""

    prior_samples: int | None = None

    def __post_init__(self):
        self.lambdas: list[float] = []
        self.priors: list[np.ndarray | None] = []

    def value_and_observable(self, q, lambda_, prior=None):
        self.lambdas.append(lambda_)
        self.priors.append(prior)
        return q @ PROBLEM.nll + lambda_ * (q @ q), PROBLEM.nll + 2 * lambda_ * q

    def terms(self, q):
        entropy = -(q * np.log(np.maximum(q, 1e-300))).sum()
        return SimpleNamespace(
            nll=q @ PROBLEM.nll,
            kl=6 * np.log(2) - entropy,
            mmd2=0.0,
            entropy=entropy,
            kale=None,
        )


def make(**changes):
    arguments = {
        "problem": PROBLEM,
        "ansatz": ANSATZ,
        "objective": Squared(),
        "schedule": Exponential(1.0, 0.1),
        "optimiser": Adam(0.1),
        "seed": 5,
        "steps": 23,
        "report_every": 10,
        "best_of": 4,
        "distribution": IndependentBits(),
        **changes,
    }
    return Trainer(**arguments)


def run(trainer):
    while not trainer.finished:
        trainer.advance()
    return trainer
