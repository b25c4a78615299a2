"""Performance profiles by hand."""

from __future__ import annotations

import numpy as np
import pytest
from score_examples import drawn

from qhn.reports.profiles import performance_profile


def test_the_share_above_each_threshold():
    scores = np.array([[0.5, 0.7], [0.7, 0.9]])
    found = performance_profile(scores, [0.4, 0.5, 0.6, 0.7, 0.9], seed=0)
    assert found.share.tolist() == [1.0, 0.75, 0.75, 0.25, 0.0]


def test_the_band_is_that_of_the_binomial_distribution_for_equal_tasks():
    # Each task has half of its 40 runs above the threshold. The share over both has a standard
    # deviation of sqrt(0.25 / 80).
    scores = np.tile(np.repeat([0.0, 1.0], 20), (2, 1))
    found = performance_profile(scores, [0.5], seed=0, resamples=4000)
    half = 1.96 * np.sqrt(0.25 / 80)
    assert found.low[0] == pytest.approx(0.5 - half, abs=0.02)
    assert found.high[0] == pytest.approx(0.5 + half, abs=0.02)


def test_tasks_keep_their_own_runs():
    # One task is always above and one never. Nothing can vary if runs stay with their task.
    found = performance_profile(np.array([[0.0] * 5, [1.0] * 5]), [0.5], seed=0)
    assert (found.low[0], found.high[0]) == (0.5, 0.5)


def test_it_falls_with_the_threshold():
    found = performance_profile(
        drawn(np.random.default_rng(3), 5, 8), np.linspace(0.6, 1.0, 20), seed=0
    )
    for line in (found.share, found.low, found.high):
        assert (np.diff(line) <= 0).all()
