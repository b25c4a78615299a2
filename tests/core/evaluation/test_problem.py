"""A problem's tables, its sharing and its memory."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation import problem
from qhn.core.evaluation.loss_table import loss_table
from qhn.core.evaluation.problem import build_problem, problem_bytes


@pytest.fixture(scope="module")
def moons():
    return build_problem(make_dataset("moons", train=50, test=70, seed=0), networks.mlp(2, 3))


def test_tables_are_those_of_single_networks(moons):
    data = moons.dataset
    np.testing.assert_array_equal(moons.nll, loss_table(moons.network, data.x_train, data.y_train))
    z = moons.network.logits(np.arange(2**14), np.vstack([data.x_train, data.x_test]))
    truth = np.concatenate([data.y_train, data.y_test]) == 1
    right = (z > 1e-12) == truth
    np.testing.assert_array_equal(moons.train_accuracy, right[:, :50].mean(axis=1))
    np.testing.assert_array_equal(moons.test_accuracy, right[:, 50:].mean(axis=1))
    assert moons.class_probabilities is not None
    np.testing.assert_allclose(
        moons.class_probabilities[moons.class_of], 1 / (1 + np.exp(-z)), atol=1e-6
    )


def test_every_array_is_read_only_and_pickles_out_of_band(moons):
    arrays = [v for f in fields(moons) if isinstance(v := getattr(moons, f.name), np.ndarray)]
    assert len(arrays) == 6
    assert not any(array.flags.writeable for array in arrays)
    assert not moons.dataset.x_train.flags.writeable
    buffers: list[pickle.PickleBuffer] = []
    message = pickle.dumps(moons, protocol=5, buffer_callback=buffers.append)
    assert len(message) < 5_000
    again = pickle.loads(message, buffers=[b.raw() for b in buffers])  # noqa: S301
    np.testing.assert_array_equal(again.nll, moons.nll)
    assert again.network == moons.network


@pytest.mark.parametrize(
    "network, name, train, test",
    [
        (networks.mlp(2, 3), "moons", 100, 1000),
        (networks.mlp(2, 4), "moons", 20, 30),
        (networks.logistic(16), "digits", 20, 40),
    ],
)
def test_the_memory_said_beforehand_is_the_memory_taken(network, name, train, test):
    data = make_dataset(name, train=train, test=test)
    tracemalloc.start()
    try:
        build_problem(data, network)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = problem_bytes(network, train, test)
    assert 0.7 * said < peak <= said


@pytest.mark.parametrize("network", [networks.mlp(2, 1), networks.logistic(2)])
def test_a_million_points_take_no_more_memory_than_is_said(network):
    data = make_dataset("gaussian", train=10**6, test=1000)
    held = sum(v.nbytes for f in fields(data) if isinstance(v := getattr(data, f.name), np.ndarray))
    tracemalloc.start()
    try:
        build_problem(data, network)
        peak = held + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = problem_bytes(network, 10**6, 1000)
    assert 0.5 * said < peak <= said


def test_probabilities_too_large_to_keep_are_left_out(monkeypatch):
    with_them = problem_bytes(networks.mlp(2, 1), 500, 500)
    monkeypatch.setattr(problem, "MAX_KEPT_BYTES", 1000)
    network = networks.mlp(2, 1)
    built = build_problem(make_dataset("moons", train=5, test=5), network)
    assert built.class_probabilities is None
    assert problem_bytes(network, 500, 500) == with_them - 4 * network.n_classes * 1000


def test_progress_runs_over_both_splits():
    seen: list[float] = []
    data = make_dataset("ring", train=1000, test=3000)
    build_problem(data, networks.mlp(2, 2), progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0 and 0.25 in seen


def test_a_dataset_that_does_not_fit_the_network_is_refused():
    with pytest.raises(InvalidValueError, match=r"shape \(n, 2\)"):
        build_problem(make_dataset("digits", train=10, test=10), networks.mlp(2, 1))
