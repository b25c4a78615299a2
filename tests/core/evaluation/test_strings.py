"""Scores of given strings: against the tables where there are any, else against a loop."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.bits import bits as bits_of
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import build_problem
from qhn.core.evaluation.strings import score_strings
from qhn.core.seeds import Purpose, stream

PROBLEMS = [
    build_problem(make_dataset(name, train=40, test=30, seed=1), network)
    for name, network in (
        ("moons", networks.mlp(2, 3)),
        ("ring", networks.mlp(2, 1)),
        ("digits", networks.logistic(16)),
        ("gaussian", networks.logistic(2)),
    )
]


@settings(max_examples=40)
@given(st.sampled_from(PROBLEMS), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_scores_are_those_of_the_tables(problem, seed, count):
    indices = np.random.default_rng(seed).integers(2**problem.n_qubits, size=count)
    strings, data = bits_of(indices, problem.n_qubits), problem.dataset
    train = score_strings(problem.network, strings, data.x_train, data.y_train)
    test = score_strings(problem.network, strings, data.x_test, data.y_test)
    np.testing.assert_allclose(train.nll, problem.nll[indices], rtol=0, atol=1e-12)
    np.testing.assert_allclose(train.accuracy, problem.train_accuracy[indices], rtol=0, atol=1e-12)
    np.testing.assert_allclose(test.accuracy, problem.test_accuracy[indices], rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(
    st.sampled_from([networks.mlp(3, 2), networks.mlp(1, 3), networks.logistic(9)]),
    st.floats(0.01, 100.0),
    st.integers(0, 2**32 - 1),
)
def test_logits_of_bits_are_those_of_indices(network, scale, seed):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(7, network.n_inputs))
    indices = rng.integers(2**network.n_qubits, size=20)
    found = network.logits_of_bits(bits_of(indices, network.n_qubits), x)
    np.testing.assert_allclose(found, network.logits(indices, x), rtol=1e-13, atol=1e-12 * scale)


def loop(network, string, x, y):
    """(nll, accuracy) of one string, weight by weight."""
    w = [2 * int(bit) - 1 for bit in string]
    losses, right = [], 0
    for point, label in zip(x, y, strict=True):
        if network.kind == "logistic":
            z = math.fsum([*(a * b for a, b in zip(w, point, strict=False)), w[-1]])
        else:
            d, h = network.n_inputs, network.n_hidden
            parts = [w[d * h + h]]
            for j in range(h):
                s = w[d * h + h + 1 + j] + sum(w[i * h + j] * point[i] for i in range(d))
                parts.append(w[d * h + j] * (1 / (1 + math.exp(-s)) if w[-1] == 1 else max(s, 0)))
            z = math.fsum(parts)
        losses.append(max(z, 0) - z * label + math.log1p(math.exp(-abs(z))))
        right += (z > 1e-12) == label
    return math.fsum(losses) / len(y), right / len(y)


@pytest.mark.parametrize(
    "network, n_bits",
    [
        (networks.mlp(2, 132), 530),
        (networks.mlp(2, 264), 1058),
        (networks.mlp(264, 2), 534),
        (networks.logistic(1057), 1058),
    ],
)
def test_networks_far_beyond_any_table_match_a_loop(network, n_bits):
    assert network.n_qubits == n_bits
    rng = stream(0, Purpose.TRAIN_DATA)
    x, y = rng.normal(size=(9, network.n_inputs)), rng.integers(2, size=9)
    strings = rng.integers(2, size=(6, n_bits), dtype=np.uint8)
    found = score_strings(network, strings, x, y)
    expected = np.array([loop(network, string, x.tolist(), y.tolist()) for string in strings])
    np.testing.assert_allclose(found.nll, expected[:, 0], rtol=1e-12, atol=1e-12)
    assert found.accuracy.tolist() == expected[:, 1].tolist()


def test_memory_does_not_grow_with_the_number_of_strings():
    network = networks.mlp(2, 132)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2)), rng.integers(2, size=200)

    def peak(count):
        strings = rng.integers(2, size=(count, 530), dtype=np.uint8)
        tracemalloc.start()
        try:
            score_strings(network, strings, x, y)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(2000) < 1.2 * peak(500) < 20 * 2**20


def test_a_logit_of_zero_up_to_rounding_is_label_zero():
    # 0.1 + 0.2 + 0.7 is not quite 1, the bias that it meets with the other sign.
    logistic = networks.logistic(3)
    x = np.array([[0.1, 0.2, 0.7]])
    strings = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], dtype=np.uint8)
    found = score_strings(logistic, strings, x, [0])
    assert found.accuracy.tolist() == [1.0, 1.0]
    assert found.nll == pytest.approx([math.log(2)] * 2, abs=1e-12)


@pytest.mark.parametrize(
    "strings, message",
    [
        (
            np.zeros((2, 5), np.uint8),
            r"shape \(strings, 4\) for a network of 4 bits, but got",
        ),
        (np.zeros(4, np.uint8), r"but got uint8 of the shape \(4,\)"),
        (np.zeros((2, 4)), "but got float64"),
        (np.full((1, 4), 2, np.uint8), "bits must be 0 or 1, but got 2"),
    ],
)
def test_other_strings_are_refused(strings, message):
    with pytest.raises(InvalidValueError, match=message):
        score_strings(networks.logistic(3), strings, np.zeros((1, 3)), [1])
