import math

import numpy as np
import pytest
from scipy import stats

from qhn.sweeps.results.statistics import estimate


def test_estimate_agrees_with_scipy():
    values = np.random.default_rng(3).normal(0.9, 0.05, 12)
    ours = estimate(list(values))
    low, high = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert ours.mean == pytest.approx(values.mean())
    assert ours.deviation == pytest.approx(np.std(values, ddof=1))
    assert (ours.low, ours.high) == pytest.approx((low, high))


def test_one_seed_has_no_interval():
    ours = estimate([0.5])
    assert ours.mean == 0.5
    assert math.isnan(ours.deviation)
    assert math.isnan(ours.low)
    assert math.isnan(ours.high)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(7)
    repetitions = 2000
    covered = 0
    for _ in range(repetitions):
        ours = estimate(list(rng.normal(0.0, 1.0, 5)))
        covered += ours.low <= 0.0 <= ours.high
    error = math.sqrt(0.95 * 0.05 / repetitions)
    assert abs(covered / repetitions - 0.95) < 4 * error
