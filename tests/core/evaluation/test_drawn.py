"""Accuracies of samples: by hand, and the same from tables and from strings."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.data.datasets import make_dataset
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.drawn import (
    StringScorer,
    TableScorer,
    accuracies_of_samples,
    error_of_mean,
    scorer,
)
from qhn.core.evaluation.problem import build_problem

PROBLEM = build_problem(make_dataset("moons", train=30, test=20, seed=2), networks.mlp(2, 1))
SAMPLES = np.random.default_rng(0).integers(64, size=(3, 40))
BOTH = pytest.mark.parametrize("kind", [TableScorer, StringScorer])


@BOTH
def test_networks_have_the_scores_of_the_tables(kind):
    found = kind(PROBLEM)
    assert found.nll(SAMPLES) == pytest.approx(PROBLEM.nll[SAMPLES])
    scores = found.scores(SAMPLES)
    assert scores.nll == pytest.approx(PROBLEM.nll[SAMPLES])
    assert np.array_equal(scores.train_accuracy, PROBLEM.train_accuracy[SAMPLES])
    assert np.array_equal(scores.test_accuracy, PROBLEM.test_accuracy[SAMPLES])
    assert kind(PROBLEM).scores(np.zeros(0, dtype=np.int64)).nll.shape == (0,)


@BOTH
def test_accuracies_are_those_of_the_empirical_distribution(kind):
    samples = SAMPLES.ravel()
    found = accuracies_of_samples(
        PROBLEM, kind(PROBLEM), samples, len(samples), np.random.default_rng(1)
    )
    q = np.bincount(samples, minlength=64) / len(samples)
    exact = Evaluator(PROBLEM).accuracies(q, 1, np.random.default_rng(1))
    assert set(found) == set(exact)
    for name, value in exact.items():
        if "best" not in name:
            assert found[name] == pytest.approx(value), name
    # Of as many samples as there are, the best is the best of all.
    best = samples[np.argmin(PROBLEM.nll[samples])]
    assert found["test_accuracy_best_of_k"] == PROBLEM.test_accuracy[best]


def test_the_best_of_k_is_one_of_k_samples_and_of_all_where_there_are_fewer():
    good, bad = int(np.argmin(PROBLEM.nll)), int(np.argmax(PROBLEM.nll))
    samples = np.array([bad] * 9 + [good])
    names = "train_accuracy_best_of_k"
    found = [
        accuracies_of_samples(PROBLEM, scorer(PROBLEM), samples, 5, np.random.default_rng(seed))
        for seed in range(400)
    ]
    hit = np.mean([one[names] == PROBLEM.train_accuracy[good] for one in found])
    # Five of ten samples, without repetition, hold the good one in half of all cases.
    assert abs(hit - 0.5) < 4 * 0.5 / 20
    all_of_them = accuracies_of_samples(
        PROBLEM, scorer(PROBLEM), samples, 64, np.random.default_rng(0)
    )
    assert all_of_them[names] == PROBLEM.train_accuracy[good]


def test_the_most_frequent_string_is_the_lowest_one_on_a_tie():
    low, high = np.argsort(PROBLEM.train_accuracy)[[0, -1]]
    assert PROBLEM.train_accuracy[low] != PROBLEM.train_accuracy[high]
    samples = np.array([high, low, high, low])
    found = accuracies_of_samples(PROBLEM, scorer(PROBLEM), samples, 1, np.random.default_rng(0))
    assert found["train_accuracy_mode"] == PROBLEM.train_accuracy[min(low, high)]


def test_the_error_of_a_mean_falls_with_the_number_of_values():
    assert error_of_mean(np.array([1.0, 3.0])) == pytest.approx(1.0)
    assert np.isnan(error_of_mean(np.array([1.0])))
