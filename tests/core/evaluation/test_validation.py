"""Training points that are held out, against tables of these points alone."""

from dataclasses import replace

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import make_dataset
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.drawn import accuracies_of_samples, scorer
from qhn.core.evaluation.problem import build_problem, problem_bytes
from qhn.core.networks import mlp
from qhn.core.objectives.objective import Objective

NETWORK = mlp(2, 1)
ARGUMENTS = {"train": 40, "test": 30, "seed": 3, "label_noise": 0.2}


def test_the_points_are_divided_and_stay_in_their_order():
    whole = make_dataset("moons", **ARGUMENTS)
    part = make_dataset("moons", validation=12, **ARGUMENTS)
    assert (len(part.y_train), len(part.y_validation), len(part.y_test)) == (28, 12, 30)
    assert (part.x_test == whole.x_test).all()
    held_out = {tuple(x) for x in part.x_validation}
    rest = np.array([x for x in whole.x_train if tuple(x) not in held_out])
    assert (rest == part.x_train).all()
    labels = dict(zip(map(tuple, whole.x_train), whole.y_train, strict=True))
    assert [labels[tuple(x)] for x in part.x_validation] == part.y_validation.tolist()
    again = make_dataset("moons", validation=12, **ARGUMENTS)
    other = make_dataset("moons", validation=12, **{**ARGUMENTS, "seed": 4})
    assert (again.x_validation == part.x_validation).all()
    assert not (other.x_validation == part.x_validation).all()
    with pytest.raises(InvalidValueError, match="validation < train"):
        make_dataset("moons", validation=40, **ARGUMENTS)


@pytest.fixture(scope="module")
def problem():
    return build_problem(make_dataset("moons", validation=12, **ARGUMENTS), NETWORK)


@pytest.fixture(scope="module")
def alone(problem):
    """The held-out points as the training points of a problem of their own."""
    data = problem.dataset
    held_out = replace(data, x_train=data.x_validation, y_train=data.y_validation)
    return build_problem(held_out, NETWORK)


def test_tables_and_expectations_are_those_of_the_points_alone(problem, alone):
    assert (problem.validation_nll == alone.nll).all()
    assert (problem.validation_accuracy == alone.train_accuracy).all()
    q = np.random.default_rng(0).dirichlet(np.full(64, 0.1))
    found = Evaluator(problem).accuracies(q, 4, np.random.default_rng(0))
    assert found["validation_nll"] == pytest.approx(q @ alone.nll)
    assert found["validation_accuracy_expected"] == pytest.approx(q @ alone.train_accuracy)
    broken = Evaluator(problem).accuracies(np.full(64, np.nan), 4, np.random.default_rng(0))
    assert np.isnan(broken["validation_nll"])
    plain = build_problem(make_dataset("moons", **ARGUMENTS), NETWORK)
    assert "validation_nll" not in Evaluator(plain).accuracies(q, 4, np.random.default_rng(0))


def test_samples_give_means_over_them(problem, alone):
    samples = np.random.default_rng(1).integers(64, size=50)
    rng = np.random.default_rng(0)
    found = accuracies_of_samples(problem, scorer(problem), samples, 4, rng)
    assert found["validation_nll"] == pytest.approx(alone.nll[samples].mean())
    expected = alone.train_accuracy[samples].mean()
    assert found["validation_accuracy_expected"] == pytest.approx(expected)


def test_training_does_not_see_them(problem):
    """The loss and n are those of the other points, and a report has both metrics."""
    ansatz = Ansatz.brickwork(6, 1)
    estimator = ExactEstimator(
        problem=problem,
        ansatz=ansatz,
        objective=Objective.of("elbo", problem),
        simulator=Engine(ansatz),
        seed=0,
        best_of=4,
    )
    assert problem.n_train == Objective.of("elbo", problem).n_points == 28
    estimator.evaluate(np.zeros(ansatz.parameter_shape), 1.0, 0)
    # All bits are 0 at these angles.
    assert estimator.measure(0)["validation_nll"] == pytest.approx(problem.validation_nll[0])


def test_the_memory_of_further_tables_counts():
    plain, more = (problem_bytes(mlp(2, 3), 100, 1000, validation=v) for v in (False, True))
    assert more - plain >= 16 * mlp(2, 3).n_classes
