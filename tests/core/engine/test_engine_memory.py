"""What a training step allocates, and how much an engine holds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine
from qhn.core.objectives.objective import Objective

N_QUBITS = 16
SIZE = 2**N_QUBITS


@pytest.mark.parametrize("name", ["mle", "elbo", "selbo"])
@pytest.mark.parametrize("prior_samples", [None, 32])
def test_a_training_step_allocates_nothing_of_size_2_to_the_n(
    name: str, prior_samples: int | None
) -> None:
    ansatz = Ansatz.brickwork(N_QUBITS, 3)
    engine = Engine(ansatz)
    rng = np.random.default_rng(0)
    objective = Objective(name, rng.random(SIZE), 100, prior_samples=prior_samples)
    parameters = rng.uniform(0, 6, ansatz.parameter_shape)
    prior = None if prior_samples is None else rng.integers(0, SIZE, prior_samples)

    def step() -> None:
        q = engine.probabilities(parameters)
        _, observable = objective.value_and_observable(q, 1.0, prior)
        engine.gradient(observable)

    step()
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < SIZE  # one byte an outcome; a single array of doubles would take eight


def test_few_outcomes_take_no_memory_by_pairs_of_prior_strings() -> None:
    objective = Objective("selbo", np.zeros(8), 1, prior_samples=16_384)
    q, prior = np.full(8, 1 / 8), np.arange(16_384) % 8
    tracemalloc.start()
    objective.value_and_observable(q, 1.0, prior)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("entangler", ["brickwork", "chain", "ring"])
def test_engine_and_objective_hold_less_than_seven_arrays(entangler: str) -> None:
    table = np.zeros(SIZE)
    tracemalloc.start()
    engine = Engine(Ansatz(N_QUBITS, 4, entangler))
    objective = Objective("selbo", table, 100)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert engine.ansatz.n_qubits == objective.n_qubits
    assert held < 7 * 8 * SIZE
