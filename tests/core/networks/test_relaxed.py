"""Networks with real weights, against the tables of binary ones and finite differences."""

import numpy as np
import pytest

from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import build_problem
from qhn.core.networks import logistic, mlp
from qhn.core.networks.relaxed import relaxed_loss

FAMILIES = [logistic(2), mlp(2, 1), mlp(2, 2)]


@pytest.mark.parametrize("network", FAMILIES, ids=str)
def test_at_binary_weights_it_is_the_binary_network(network):
    problem = build_problem(make_dataset("ring", train=25, test=5), network)
    x, y = problem.dataset.x_train, problem.dataset.y_train
    n = network.n_qubits
    for index in range(0, 2**n, max(1, 2**n // 64)):
        weights = np.array([1.0 if bit == "1" else -1.0 for bit in f"{index:0{n}b}"])
        assert relaxed_loss(network, weights, x, y)[0] == pytest.approx(problem.nll[index])


@pytest.mark.parametrize("network", FAMILIES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_agrees_with_finite_differences(network, seed):
    data = make_dataset("moons", train=25, test=5)
    weights = np.random.default_rng(seed).uniform(-1, 1, network.n_qubits)
    _, gradient = relaxed_loss(network, weights, data.x_train, data.y_train)
    for place, slope in enumerate(gradient):
        step = np.zeros_like(weights)
        step[place] = 1e-6
        ends = [
            relaxed_loss(network, weights + sign * step, data.x_train, data.y_train)[0]
            for sign in (1, -1)
        ]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, abs=1e-6)


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidValueError, match="weights must have the shape"):
        relaxed_loss(logistic(2), np.zeros(2), np.zeros((1, 2)), np.zeros(1))
    with pytest.raises(InvalidValueError, match="x must have the shape"):
        relaxed_loss(logistic(2), np.zeros(3), np.zeros((1, 3)), np.zeros(1))
