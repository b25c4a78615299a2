"""What configurations name is what the science core has, and is built from it."""

from __future__ import annotations

import dataclasses
import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qhn.core import networks
from qhn.core.data import datasets
from qhn.core.errors import InvalidValueError
from qhn.core.objectives import controllers, schedules
from qhn.core.objectives.objective import Name
from qhn.core.training.optimisers import OPTIMISERS, SGD, Adam
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.schedules import LAMBDA_CONFIGS, SCHEDULE_CONFIGS
from qhn.sweeps.config.sections import (
    DatasetConfig,
    DatasetName,
    NetworkConfig,
    OptimiserName,
    StoppingMetric,
)
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.spec import parse_spec


def config(**changes):
    content = {"dataset": {"name": "moons", "train": 20, "test": 30}, "seed": 3}
    objective = {"name": "elbo", "lambda": {"schedule": "constant", "value": 2}}
    return TrialConfig.model_validate({**content, "objective": objective, **changes})


def test_configurations_know_all_data_sets_of_the_core():
    assert get_args(DatasetName) == datasets.ALL_NAMES


@pytest.mark.parametrize("name", datasets.NAMES)
def test_data_sets_have_the_configured_sizes_and_inputs(name):
    part = DatasetConfig(name=name, train=20, test=30, seed=5)
    made = build.dataset(part)
    assert made.x_train.shape == (20, part.n_inputs)
    assert made.x_test.shape == (30, part.n_inputs)
    same = datasets.make_dataset(name, train=20, test=30, noise=None, seed=5)
    assert np.array_equal(made.x_train, same.x_train)


@pytest.mark.parametrize("n_inputs", [1, 2, 16])
@pytest.mark.parametrize(
    "part",
    [NetworkConfig(kind="logistic"), NetworkConfig(hidden=1), NetworkConfig(hidden=4)],
    ids=str,
)
def test_qubits_are_counted_as_the_core_counts_them(part, n_inputs):
    assert build.network(part, n_inputs).n_qubits == part.n_qubits(n_inputs)


def test_networks():
    assert build.network(NetworkConfig(), 2) == networks.mlp(2, 3)
    assert build.network(NetworkConfig(kind="logistic"), 16) == networks.logistic(16)


def test_ansatz():
    made = build.ansatz(config(ansatz={"entangler": "ring", "depth": 4, "entanglers_first": True}))
    assert (made.n_qubits, made.depth) == (14, 4)
    assert (made.entangler, made.entanglers_first) == ("ring", True)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"schedule": "constant", "value": 2}, schedules.Constant(2.0)),
        ({"schedule": "warmup", "value": 2}, schedules.Warmup(2.0)),
        (
            {"schedule": "warmup", "value": 2, "start": 1, "over": 0.5},
            schedules.Warmup(2.0, 1.0, 0.5),
        ),
        ({"schedule": "exponential", "start": 3, "end": 1}, schedules.Exponential(3.0, 1.0)),
        ({"schedule": "cosine", "start": 3, "end": 1}, schedules.Cosine(3.0, 1.0)),
        ({"schedule": "cyclic", "low": 1, "high": 3}, schedules.Cyclic(1.0, 3.0)),
    ],
)
def test_schedules_and_their_defaults_are_those_of_the_core(content, expected):
    made = config(objective={"name": "elbo", "lambda": content}).objective.lambda_
    assert build.schedule(made) == expected


number = st.one_of(
    st.floats(-2, 3), st.sampled_from([0, 0.0, 1, 1e-300, 1e300, math.nan, math.inf, -math.inf])
)


KINDS = {**schedules.SCHEDULES, **controllers.CONTROLLERS}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_configuration_takes_the_schedules_that_the_core_takes(kind, data):
    described = KINDS[kind]
    whole = ("cycles", "patience")
    values = {
        field.name: data.draw(st.integers(-1, 5) if field.name in whole else number)
        for field in dataclasses.fields(described)
    }
    try:
        expected = described(**values)
    except InvalidValueError:
        with pytest.raises(ValidationError):
            LAMBDA_CONFIGS[kind](**values)
        return
    made = LAMBDA_CONFIGS[kind](**values)
    assert build.schedule(made) == expected
    assert made.model_dump() == {"schedule": kind, **dataclasses.asdict(expected)}


def test_every_schedule_and_optimiser_of_the_core_can_be_configured():
    assert tuple(SCHEDULE_CONFIGS) == tuple(schedules.SCHEDULES)
    assert get_args(OptimiserName) == tuple(OPTIMISERS)
    assert tuple(LAMBDA_CONFIGS) == tuple(KINDS)
    for kind, model in LAMBDA_CONFIGS.items():
        assert model.__doc__ == KINDS[kind].__doc__


def test_every_objective_of_the_core_can_be_configured():
    for name in get_args(Name):
        content = {"name": name, "lambda": {"schedule": "constant", "value": 1}, "bandwidth": 2}
        content |= {"regularisation": 0.1}
        assert config(objective=content).objective.name == name
        text = f"{{name: x, datasets: moons, seeds: 1, objectives: {{name: {name}, lambda: 1}}}}"
        assert parse_spec(text).objectives[0].name == name


def test_early_stopping_compares_training_metrics_of_the_core():
    assert get_args(StoppingMetric) == (
        "nll",
        "train_accuracy_expected",
        "train_accuracy_mode",
        "train_accuracy_average",
        "train_accuracy_best_of_k",
        "validation_nll",
        "validation_accuracy_expected",
    )


def test_an_objective_without_lambda_has_lambda_zero():
    assert build.schedule(None).at(3, 10) == 0.0


def test_optimisers():
    adam = build.optimiser(config().training)
    sgd = build.optimiser(config(training={"optimiser": "sgd", "learning_rate": 0.5}).training)
    assert isinstance(adam, Adam)
    assert isinstance(sgd, SGD)
    parameters = np.zeros((1, 2, 3))
    sgd.update(parameters, np.ones_like(parameters))
    assert np.all(parameters == -0.5)


@pytest.mark.parametrize(
    "objective",
    [
        {"name": "mle"},
        {"name": "elbo", "lambda": {"schedule": "constant", "value": 2}},
        {"name": "selbo", "lambda": {"schedule": "constant", "value": 2}, "bandwidth": 3.5},
    ],
)
def test_the_problem_and_the_objective_fit_together(objective):
    made = config(objective=objective, network={"kind": "logistic"})
    fractions = []
    problem = build.problem(made, fractions.append)
    assert problem.nll.shape == (8,)
    built = build.objective(made, problem)
    q = np.full(8, 1 / 8)
    # The uniform distribution is the prior: every divergence from it is 0.
    value, _ = built.value_and_observable(q, 2.0)
    assert value == pytest.approx(problem.nll.mean(), abs=1e-12)
    point = np.eye(8)[0]
    value, _ = built.value_and_observable(point, 2.0)
    terms = built.terms(point)
    divergence = {"mle": 0.0, "elbo": terms.kl, "selbo": terms.mmd2}[made.objective.name]
    assert value == pytest.approx(problem.nll[0] + 2.0 / 20 * divergence, abs=1e-12)
