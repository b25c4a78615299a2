"""Estimators from exact sampling of the contract's problem, and a sampler that counts."""

from __future__ import annotations

import numpy as np
from contract import ANSATZ, BANDWIDTH, PROBLEM

from qhn.core.estimators.shift import ShiftEstimator
from qhn.core.objectives.sampled import SampledObjective
from qhn.devices import make_device


class Counting:
    """Exact sampling that keeps what it is asked for: sets of angles, shots and key."""

    def __init__(self, ansatz=ANSATZ):
        self.handle = make_device("exact", shots=1).open(ansatz)
        self.asked = []

    def sample(self, sets, shots, key):
        self.asked.append((sets.copy(), shots, key))
        return self.handle.sample(sets, shots, key)

    @property
    def circuits(self):
        return [len(sets) for sets, _, _ in self.asked]


def sampled(kind=ShiftEstimator, name="selbo", seed=3, prior_samples=None, **changes):
    ansatz = changes.get("ansatz", ANSATZ)
    problem = changes.get("problem", PROBLEM)
    return kind(
        **{
            "problem": problem,
            "ansatz": ansatz,
            "objective": SampledObjective.of(name, problem, BANDWIDTH, prior_samples),
            "sampler": Counting(ansatz),
            "shots": 500,
            "seed": seed,
            "best_of": 8,
            "trial": "a-trial",
            **changes,
        }
    )


def is_frequency(found, chance, shots):
    """Whether a share of the shots may be that of an outcome of this probability."""
    return abs(found - chance) <= 5 * np.sqrt(chance * (1 - chance) / shots) + 1 / shots
