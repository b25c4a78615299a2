"""Metrics of a distribution against sums over single networks, and samples against their law."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import build_problem
from qhn.core.metrics import ACCURACIES

PROBLEM = build_problem(make_dataset("moons", train=40, test=60, seed=1), networks.mlp(2, 2))
Z = PROBLEM.network.logits(
    np.arange(2**10), np.vstack([PROBLEM.dataset.x_train, PROBLEM.dataset.x_test])
)
TRUTH = np.concatenate([PROBLEM.dataset.y_train, PROBLEM.dataset.y_test]) == 1


def random_distribution(seed, sharpness=1.0):
    q = np.random.default_rng(seed).random(2**10) ** sharpness
    return q / q.sum()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 300.0))
def test_accuracies_match_sums_over_networks(seed, sharpness):
    q = random_distribution(seed, sharpness)
    found = Evaluator(PROBLEM).accuracies(q, 8, np.random.default_rng(seed))
    right = (Z > 1e-12) == TRUTH
    mode = q.argmax()
    average = q @ (1 / (1 + np.exp(-Z)))
    clear = np.abs(average - 0.5) > 1e-5
    for part, points in (("train", slice(0, 40)), ("test", slice(40, 100))):
        assert found[f"{part}_accuracy_expected"] == pytest.approx(q @ right[:, points].mean(1))
        assert found[f"{part}_accuracy_mode"] == right[mode, points].mean()
        if clear[points].all():
            expected = ((average > 0.5) == TRUTH)[points].mean()
            assert found[f"{part}_accuracy_average"] == pytest.approx(expected)


@pytest.mark.parametrize("kept", [True, False])
def test_the_posterior_average_is_that_of_all_networks(kept):
    problem = PROBLEM if kept else dataclasses.replace(PROBLEM, class_probabilities=None)
    for sharpness in (0.1, 5.0, 200.0):
        q = random_distribution(3, sharpness)
        average = Evaluator(problem).average(q)
        np.testing.assert_allclose(average, q @ (1 / (1 + np.exp(-Z))), atol=2e-6)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("network", [networks.mlp(2, 1), networks.mlp(2, 3), networks.logistic(2)])
def test_the_average_of_a_symmetric_posterior_is_a_tie_and_label_zero(network, kept):
    # With its output weights turned round a network gives 1 − p: all together they give 1/2.
    problem = build_problem(make_dataset("moons", train=100, test=500, seed=0), network)
    if not kept:
        problem = dataclasses.replace(problem, class_probabilities=None)
    size = 2**network.n_qubits
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    average = evaluator.average(np.full(size, 1 / size)).copy()
    assert 0 < np.abs(average - 0.5).max() <= 2.0**-25
    found = evaluator.accuracies(np.full(size, 1 / size), 4, rng)
    assert found["train_accuracy_average"] == (problem.dataset.y_train == 0).mean()
    assert found["test_accuracy_average"] == (problem.dataset.y_test == 0).mean()


def test_an_average_beyond_rounding_is_no_tie():
    # Networks that say 1 more often are likelier by one part in 10⁵, which is enough to decide.
    positive = (Z > 1e-12).mean(axis=1)
    q = np.full(2**10, 2.0**-10) * (1 + 1e-5 * np.sign(positive - 0.5))
    found = Evaluator(PROBLEM).accuracies(q / q.sum(), 4, np.random.default_rng(0))
    average = (q / q.sum()) @ (1 / (1 + np.exp(-Z)))
    assert np.abs(average - 0.5).min() > 2.0**-23 and (average > 0.5).any()
    right = (average > 0.5) == TRUTH
    assert found["train_accuracy_average"] == pytest.approx(right[:40].mean())


def test_the_average_does_not_care_for_the_scale_of_q():
    q = random_distribution(0, 4.0)
    evaluator = Evaluator(PROBLEM)
    first = evaluator.average(q).copy()
    np.testing.assert_allclose(evaluator.average(0.5 * q), first, atol=1e-6)


def test_one_sample_follows_the_distribution():
    q = random_distribution(7, 60.0)
    evaluator = Evaluator(PROBLEM)
    n = 20_000
    rng = np.random.default_rng(0)
    counts = np.bincount([evaluator.best_sample(q, 1, rng) for _ in range(n)], minlength=2**10)
    likely = np.flatnonzero(q > 0.01)
    error = np.sqrt(q * (1 - q) / n)[likely]
    assert len(likely) > 5
    assert np.all(np.abs(counts[likely] / n - q[likely]) < 5 * error)


def test_the_best_of_k_samples_has_the_law_of_the_minimum():
    q = random_distribution(2)
    evaluator = Evaluator(PROBLEM)
    n, k = 4000, 5
    rng = np.random.default_rng(1)
    losses = PROBLEM.nll[[evaluator.best_sample(q, k, rng) for _ in range(n)]]
    for level in (0.4, 0.6, 0.9):
        p = 1 - (1 - q[PROBLEM.nll <= level].sum()) ** k
        assert abs((losses <= level).mean() - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-12


def test_a_point_mass_is_its_own_mode_average_and_samples():
    q = np.zeros(2**10)
    q[321] = 1.0
    found = Evaluator(PROBLEM).accuracies(q, 64, np.random.default_rng(0))
    assert {found[f"test_accuracy_{m}"] for m in ("expected", "mode", "average", "best_of_k")} == {
        PROBLEM.test_accuracy[321]
    }
    assert found["train_accuracy_best_of_k"] == PROBLEM.train_accuracy[321]


def test_a_distribution_that_is_not_a_number_has_no_accuracy():
    found = Evaluator(PROBLEM).accuracies(np.full(2**10, np.nan), 4, np.random.default_rng(0))
    assert list(found) == [metric.name for metric in ACCURACIES]
    assert np.isnan(list(found.values())).all()


def test_another_shape_and_no_samples_are_refused():
    evaluator, rng = Evaluator(PROBLEM), np.random.default_rng(0)
    for q in (np.full(2**9, 2.0**-9), np.full(2**11, 2.0**-11)):
        with pytest.raises(InvalidValueError, match=r"= \(1024,\), but got"):
            evaluator.average(q)
        with pytest.raises(InvalidValueError, match=r"= \(1024,\), but got"):
            evaluator.best_sample(q, 1, rng)
    with pytest.raises(InvalidValueError, match="`k >= 1`"):
        evaluator.best_sample(random_distribution(0), 0, rng)


def test_rounding_at_the_end_of_the_cumulative_sum_stays_in_range():
    class Ends:
        def random(self, k):
            return np.full(k, 1.0)

    q = np.zeros(2**10)
    q[:3] = 1 / 3
    assert 0 <= Evaluator(PROBLEM).best_sample(q, 4, Ends()) < 2**10
