"""Which trials need tables over all networks, and what they share."""

from __future__ import annotations

import pytest

from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import Problem
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.memory import problem_of, shared_bytes, stored_bytes, training_bytes


def config(hidden, **options):
    return TrialConfig.model_validate(
        {
            "dataset": {"name": "moons"},
            "network": {"kind": "mlp", "hidden": hidden},
            "objective": {"name": "mle"},
            "device": {"name": "exact", **options},
            "seed": 0,
        }
    )


@pytest.mark.parametrize(
    ("hidden", "options", "tables"),
    [
        (4, {}, True),
        (4, {"shots": 64}, True),
        (5, {}, True),
        (5, {"noise": 0.001}, True),
        (5, {"shots": 64}, False),
        (5, {"shots": 64, "noise": 0.001}, False),
    ],
)
def test_only_large_trials_that_sample_do_without_tables(hidden, options, tables):
    made = config(hidden, **options)
    assert made.needs_tables == tables
    assert (made.shared_key == made.problem_key) == tables


def test_a_trial_without_tables_shares_its_data_alone():
    made = config(5, shots=64)
    task = factory.problem(made)
    assert not isinstance(task, Problem) and task.n_qubits == 22
    assert stored_bytes(*problem_of(made)) <= shared_bytes(*problem_of(made)) < 2**18
    with_tables = config(5)
    assert with_tables.problem_key == made.problem_key != made.shared_key
    assert shared_bytes(*problem_of(with_tables)) > 28 << 22


def test_memory_without_tables_is_that_of_the_device_and_of_samples():
    made = config(5, shots=64)
    said = training_bytes(
        made.dataset, made.network, made.ansatz, made.training.best_of, made.device
    )
    assert 6 * 8 << 22 < said < 9 * 8 << 22


def test_whole_distributions_cannot_be_trained_without_tables():
    task = factory.problem(config(5, shots=64))
    with (
        config(1).device.open(factory.ansatz(config(1))) as device,
        pytest.raises(InvalidValueError, match="needs tables over all networks"),
    ):
        factory.estimator(config(1), task, device)
