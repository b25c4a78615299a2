"""Interquartile means and probabilities of improvement by hand, and their intervals by SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from score_examples import drawn

from qhn.core.errors import InvalidValueError
from qhn.reports.aggregates import interquartile_mean, probability_of_improvement

SCORES = drawn(np.random.default_rng(1), 6, 12)
SHIFTED = drawn(np.random.default_rng(2), 6, 12, shift=0.01)


def test_the_interquartile_mean_is_that_of_the_middle_half():
    # Of 0, 2, 3, 4, 5, 6, 7, 90 the middle four are 3, 4, 5 and 6.
    found = interquartile_mean(np.array([[7.0, 2.0, 90.0, 4.0], [5.0, 3.0, 6.0, 0.0]]), seed=0)
    assert found.value == 4.5
    assert found.low <= 4.5 <= found.high


def test_its_interval_is_the_stratified_bootstrap_of_scipy():
    def middle(*tasks, axis):
        return stats.trim_mean(np.concatenate(tasks, axis=axis), 0.25, axis=axis)

    ours = interquartile_mean(SCORES, seed=0, resamples=4000)
    # SciPy draws from each sample on its own, which are the tasks here.
    theirs = stats.bootstrap(
        tuple(SCORES), middle, n_resamples=4000, method="percentile", rng=0
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_the_probability_of_improvement_by_hand():
    group = np.array([[0.9, 0.5], [0.7, 0.7]])
    base = np.array([[0.6, 0.5], [0.8, 0.70001]])
    # On the first task 1, 1, 0 and a tie: 2.5 of 4. On the second 0, 0 and two ties: 1 of 4.
    found = probability_of_improvement(group, base, seed=0)
    assert found.value == pytest.approx((2.5 + 1) / 8)


def test_it_is_the_mean_of_the_mann_whitney_statistics():
    found = probability_of_improvement(SHIFTED, SCORES, seed=0, tie=0.0)
    expected = [
        stats.mannwhitneyu(x, y).statistic / 144 for x, y in zip(SHIFTED, SCORES, strict=True)
    ]
    assert found.value == pytest.approx(np.mean(expected))
    assert found.low < found.value < found.high
    back = probability_of_improvement(SCORES, SHIFTED, seed=0, tie=0.0)
    assert back.value == pytest.approx(1 - found.value)


def test_groups_that_are_nearly_identical_are_a_toss():
    same = np.repeat(SCORES[:, :1], 5, axis=1)
    found = probability_of_improvement(same + 1e-9, same, seed=0)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_the_seed_decides_the_interval():
    one, other = (interquartile_mean(SCORES, seed=seed) for seed in (0, 1))
    assert interquartile_mean(SCORES, seed=0) == one
    assert one.value == other.value
    assert one.low != other.low


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros(4), r"got \(4,\)"),
        (np.zeros((2, 0)), r"got \(2, 0\)"),
        (np.array([[0.5, math.nan, math.inf]]), "2 of 3 are not"),
    ],
)
def test_other_scores_are_refused(scores, message):
    with pytest.raises(InvalidValueError, match=message):
        interquartile_mean(scores, seed=0)


def test_other_tasks_are_refused():
    with pytest.raises(InvalidValueError, match="got 6 and 5"):
        probability_of_improvement(SCORES, SCORES[:5], seed=0)
