"""Posterior predictive distributions against the sums that define them."""

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.predictive import (
    expected_calibration_error,
    predictive,
    predictive_probability,
)

NETWORK = networks.mlp(2, 1)
POINTS = np.array([[0.3, -1.2], [0.0, 0.0], [2.0, 1.0]])


def drawn(seed):
    return np.random.default_rng(seed).dirichlet(np.full(2**NETWORK.n_qubits, 0.3))


def entropy(p):
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(x > 0, -x * np.log(x), 0.0) for x in (p, 1 - p)]
    return sum(terms)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_mean_over_networks(seed):
    q = drawn(seed)
    each = 1 / (1 + np.exp(-NETWORK.evaluator(POINTS)(np.arange(len(q)))))
    mean = q @ each
    found = predictive(NETWORK, q, POINTS)
    # Networks that are left out have less than a millionth of the probability.
    assert found.probability == pytest.approx(mean, abs=2e-6)
    assert found.deviation == pytest.approx(np.sqrt(q @ (each - mean) ** 2), abs=1e-4)
    assert found.entropy == pytest.approx(entropy(mean), abs=1e-5)
    assert found.aleatoric == pytest.approx(q @ entropy(each), abs=1e-5)
    assert found.epistemic == pytest.approx(found.entropy - found.aleatoric)
    assert (found.epistemic >= 0).all()


@pytest.mark.parametrize(
    "network", [networks.mlp(2, 1), networks.mlp(2, 2), networks.logistic(3)], ids=str
)
def test_the_probability_alone_is_the_same(network):
    rng = np.random.default_rng(7)
    q = rng.dirichlet(np.full(2**network.n_qubits, 0.05))
    x = rng.standard_normal((20, network.n_inputs))
    found = predictive_probability(network, q, x)
    # Improbable networks are left out of both, one by one or class by class.
    assert found == pytest.approx(predictive(network, q, x).probability, abs=1e-5)
    with pytest.raises(InvalidValueError, match="q must have the shape"):
        predictive_probability(network, q[1:], x)


def test_one_network_alone_has_no_epistemic_uncertainty():
    q = np.zeros(2**NETWORK.n_qubits)
    q[5] = 1.0
    found = predictive(NETWORK, q, POINTS)
    assert found.deviation == pytest.approx(0.0, abs=1e-7)
    assert found.epistemic == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("q", "x", "words"),
    [
        (np.ones(4) / 4, POINTS, "q must have the shape"),
        (np.ones(64), POINTS, "add up to 1, but they add up to 64"),
        (drawn(0), POINTS[:, :1], "x must have the shape"),
        (drawn(0), POINTS * np.nan, "points must be finite"),
    ],
)
def test_mistakes(q, x, words):
    with pytest.raises(InvalidValueError, match=words):
        predictive(NETWORK, q, x)


def test_the_calibration_error_is_worked_out_by_hand():
    probability = np.array([0.05, 0.15, 0.15, 0.95, 1.0])
    labels = np.array([0, 0, 1, 1, 0])
    error, predicted, frequent, counts = expected_calibration_error(probability, labels)
    assert predicted == pytest.approx([0.05, 0.15, 0.975])
    assert frequent == pytest.approx([0.0, 0.5, 0.5])
    assert counts.tolist() == [1, 2, 2]
    assert error == pytest.approx((0.05 + 2 * 0.35 + 2 * 0.475) / 5)
