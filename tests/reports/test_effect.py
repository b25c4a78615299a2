"""Effect sizes: the definition of their interval, and how often it covers the true one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qhn.reports.effect import effect_size


@pytest.mark.parametrize("shift", [-0.04, -0.005, 0.005, 0.04])
def test_the_ends_put_what_was_found_at_the_quantiles(shift):
    differences = np.random.default_rng(5).normal(shift, 0.03, 15)
    found = effect_size(list(differences), tie=0.0)
    assert found.d == pytest.approx(differences.mean() / differences.std(ddof=1))
    t = stats.ttest_1samp(differences, 0.0).statistic
    root = math.sqrt(15)
    assert stats.nct.cdf(t, 14, found.low * root) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, 14, found.high * root) == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize("true", [0.0, 0.6, -1.5])
def test_the_interval_covers_the_true_size_as_often_as_it_says(true):
    rng = np.random.default_rng(11)
    found = [effect_size(list(rng.normal(true, 1.0, 12)), tie=0.0) for _ in range(1000)]
    covered = np.mean([one.low <= true <= one.high for one in found])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1000)


def test_ties_count_as_no_difference():
    found = effect_size([1e-9, 2e-9, 1e-9], tie=1e-4)
    assert found.d == 0.0
    assert math.isnan(found.low)
    assert effect_size([1e-9, 0.2, 0.3], tie=1e-4) == effect_size([0.0, 0.2, 0.3], tie=0.0)


@pytest.mark.parametrize(("value", "expected"), [(0.1, math.inf), (-0.3, -math.inf)])
def test_the_same_difference_everywhere_is_infinite(value, expected):
    assert effect_size([value] * 7, tie=1e-4).d == expected


@pytest.mark.parametrize("values", [[], [0.1], [0.1, math.nan], [0.1, math.inf]])
def test_without_a_spread_there_is_no_size(values):
    assert math.isnan(effect_size(values, tie=0.0).d)
