"""Loss tables against a loop over points, in every regime of the logit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.loss_table import evaluate, loss_table


def naive_nll(z, y):
    """−log P(y) of a Bernoulli variable with logit z."""
    s = -z if y == 1 else z
    return s + math.log1p(math.exp(-s)) if s > 0 else math.log1p(math.exp(s))


@settings(max_examples=15)
@given(
    st.sampled_from([networks.mlp(2, 2), networks.mlp(1, 3), networks.logistic(7)]),
    st.integers(1, 40),
    st.floats(0.01, 100.0),
    st.integers(0, 2**32 - 1),
)
def test_losses_match_a_loop(network, n, scale, seed):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(n, network.n_inputs))
    y = rng.integers(2, size=n)
    table = loss_table(network, x, y)
    assert table.shape == (2**network.n_qubits,)
    for index in rng.integers(len(table), size=20):
        z = network.logits([index], x)[0]
        expected = math.fsum(map(naive_nll, z, y)) / n
        assert table[index] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_sixteen_inputs_match_a_loop_over_weights():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 16)), rng.integers(2, size=30)
    table = loss_table(networks.logistic(16), x, y)
    assert table.shape == (2**17,)
    for index in rng.integers(2**17, size=100):
        w = [2 * int(bit) - 1 for bit in format(index, "017b")]
        losses = [
            naive_nll(math.fsum([*(a * b for a, b in zip(w, p, strict=False)), w[16]]), t)
            for p, t in zip(x, y, strict=True)
        ]
        assert abs(table[index] - math.fsum(losses) / 30) < 1e-12


def test_swapped_hidden_units_lose_exactly_the_same():
    rng = np.random.default_rng(0)
    network = networks.mlp(2, 3)
    table = loss_table(network, rng.normal(size=(100, 2)), rng.integers(2, size=100))
    assert len(np.unique(table)) <= network.n_classes == 3264
    assert len(np.unique(table.round(10))) == 1824


def test_a_whole_table_is_split_over_blocks_without_a_seam():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(50_000, 2)), rng.integers(2, size=50_000)
    network = networks.mlp(2, 1)
    expected = np.logaddexp(0.0, network.logits(np.arange(64), x) * (1 - 2 * y)).mean(axis=1)
    np.testing.assert_allclose(loss_table(network, x, y), expected, rtol=1e-12)


def test_scores_and_probabilities_come_from_the_same_logits():
    rng = np.random.default_rng(1)
    network = networks.mlp(2, 2)
    x, y = 5 * rng.normal(size=(40, 2)), rng.integers(2, size=40)
    chosen = rng.permutation(2**network.n_qubits)[:200]
    kept = np.full((200, 100), -1.0, dtype=np.float32)
    scores = evaluate(network, chosen, x, y, probabilities=kept[:, 30:70])
    z = network.logits(chosen, x)
    np.testing.assert_allclose(kept[:, 30:70], 1 / (1 + np.exp(-z)), atol=1e-7)
    assert np.all(kept[:, :30] == -1) and np.all(kept[:, 70:] == -1)
    np.testing.assert_array_equal(scores.accuracy, ((z > 1e-12) == (y == 1)).mean(axis=1))


def test_huge_inputs_give_finite_losses():
    x = np.array([[1e6, 0.0], [-1e6, 1.0]])
    table = loss_table(networks.mlp(2, 2), x, [0, 1])
    assert np.isfinite(table).all() and table.max() > 1e5


def test_progress_rises_to_one():
    seen = []
    x = np.zeros((3000, 2))
    loss_table(networks.mlp(2, 3), x, np.zeros(3000), progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert 10 < len(seen) <= 101


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.zeros((3, 3)), [0, 1, 0], r"shape \(n, 2\)"),
        (np.zeros(3), [0, 1, 0], r"shape \(n, 2\)"),
        (np.zeros((0, 2)), [], "n >= 1"),
        (np.zeros((3, 2)), [0, 1], r"shape \(3,\), but got \(2,\)"),
        (np.array([[0, 0], [0, np.nan]]), [0, 1], "got nan in row 1, column 1"),
        (np.array([[0, np.inf], [0, 0]]), [0, 1], "got inf in row 0, column 1"),
        (np.zeros((3, 2)), [0, 1, 2], "labels must be 0 or 1, but got 2"),
        (np.zeros((2, 2)), [-1, 1], "labels must be 0 or 1, but got -1"),
        (np.zeros((1, 2)), [np.nan], "labels must be 0 or 1, but got nan"),
    ],
)
def test_wrong_points_are_refused(x, y, message):
    with pytest.raises(InvalidValueError, match=message):
        loss_table(networks.mlp(2, 3), x, y)


def test_networks_whose_hidden_units_cancel_predict_label_zero():
    # Units (w, b) and (−w, −b) of a sigmoid add up to 1, which b2 = −1 takes away: logit 0.
    network = networks.mlp(1, 2)
    sigma = "10" + "11" + "0" + "10" + "1"
    x = np.random.default_rng(0).normal(size=(500, 1))
    assert np.abs(network.logits([int(sigma, 2)], x)).max() < 1e-15
    scores = evaluate(network, np.array([int(sigma, 2)]), x, np.zeros(500))
    assert scores.accuracy[0] == 1.0
