"""Networks against a weight-by-weight reading of the published layout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.bits import all_bits
from qhn.core.errors import InvalidValueError


def naive_mlp(index, n_inputs, n_hidden, point):
    n_qubits = n_inputs * n_hidden + 2 * n_hidden + 2
    weights = [2 * int(bit) - 1 for bit in format(index, f"0{n_qubits}b")]
    w1 = [weights[i * n_hidden : (i + 1) * n_hidden] for i in range(n_inputs)]
    rest = weights[n_inputs * n_hidden :]
    w2, b2, b1, activation = (
        rest[:n_hidden],
        rest[n_hidden],
        rest[n_hidden + 1 : 2 * n_hidden + 1],
        rest[-1],
    )
    total = float(b2)
    for j in range(n_hidden):
        z = b1[j] + sum(w1[i][j] * point[i] for i in range(n_inputs))
        total += w2[j] * (1 / (1 + math.exp(-z)) if activation == 1 else max(z, 0.0))
    return total


def naive_logistic(index, n_inputs, point):
    weights = [2 * int(bit) - 1 for bit in format(index, f"0{n_inputs + 1}b")]
    return weights[-1] + sum(w * v for w, v in zip(weights, point, strict=False))


@settings(max_examples=40)
@given(st.integers(1, 11), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_mlp_logits_match_the_layout(n_inputs, n_hidden, seed):
    rng = np.random.default_rng(seed)
    network = networks.mlp(n_inputs, n_hidden)
    assert network.n_qubits == n_inputs * n_hidden + 2 * n_hidden + 2
    x = rng.normal(size=(5, n_inputs)) * 3
    indices = rng.integers(2**network.n_qubits, size=7)
    expected = [[naive_mlp(int(i), n_inputs, n_hidden, p) for p in x] for i in indices]
    np.testing.assert_allclose(network.logits(indices, x), expected, rtol=0, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_logistic_logits_match_the_layout(n_inputs, seed):
    rng = np.random.default_rng(seed)
    network = networks.logistic(n_inputs)
    x = rng.normal(size=(4, n_inputs))
    indices = rng.integers(2**network.n_qubits, size=6)
    expected = [[naive_logistic(int(i), n_inputs, p) for p in x] for i in indices]
    np.testing.assert_allclose(network.logits(indices, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [networks.mlp(2, 3), networks.mlp(1, 2), networks.logistic(4)])
def test_a_class_holds_networks_with_one_function(network):
    x = np.random.default_rng(0).normal(size=(6, network.n_inputs))
    logits = network.logits(np.arange(2**network.n_qubits), x)
    representatives, class_of = network.classes()
    np.testing.assert_allclose(logits, logits[representatives][class_of], rtol=0, atol=1e-12)
    assert np.array_equal(class_of[representatives], np.arange(network.n_classes))


@pytest.mark.parametrize("n_inputs, n_hidden", [(2, 3), (2, 2), (1, 4), (3, 1)])
def test_mlp_classes_are_the_multisets_of_hidden_units(n_inputs, n_hidden):
    representatives, class_of = networks.mlp(n_inputs, n_hidden).classes()
    multisets = math.comb(2 ** (n_inputs + 2) + n_hidden - 1, n_hidden)
    assert len(representatives) == 4 * multisets == networks.mlp(n_inputs, n_hidden).n_classes
    assert class_of.shape == (2 ** networks.mlp(n_inputs, n_hidden).n_qubits,)


def test_swapping_two_hidden_units_keeps_the_class():
    network = networks.mlp(2, 3)
    sigma = all_bits(14)
    # Units 0 and 2: their columns of W1, their W2 and their b1.
    swapped = sigma.copy()
    for a, b in ((0, 2), (3, 5), (6, 8), (10, 12)):
        swapped[:, [a, b]] = sigma[:, [b, a]]
    partner = swapped.astype(np.int64) @ (1 << np.arange(13, -1, -1))
    class_of = network.classes().class_of
    assert np.array_equal(class_of, class_of[partner])


def test_large_inputs_saturate_without_a_warning():
    x = np.array([[1e6, -1e6], [-1e300, 0.0]])
    assert np.isfinite(networks.mlp(2, 3).logits(np.arange(2**14), x)).all()


@pytest.mark.parametrize(
    "make", [lambda: networks.mlp(0, 3), lambda: networks.mlp(2, 0), lambda: networks.logistic(0)]
)
def test_sizes_below_one_are_refused(make):
    with pytest.raises(InvalidValueError, match=">= 1"):
        make()


@pytest.mark.parametrize("make", [lambda: networks.mlp(2.0, 3), lambda: networks.logistic(1.5)])
def test_sizes_that_are_not_whole_are_refused(make):
    with pytest.raises(InvalidValueError, match="must be a whole number"):
        make()


def test_wrong_points_and_indices_are_refused():
    network = networks.logistic(3)
    with pytest.raises(InvalidValueError, match=r"shape \(points, 3\)"):
        network.logits([0], np.zeros((5, 2)))
    with pytest.raises(InvalidValueError, match="index < 2"):
        network.logits([16], np.zeros((5, 3)))
    with pytest.raises(InvalidValueError, match="integers"):
        network.logits([0.5], np.zeros((5, 3)))
