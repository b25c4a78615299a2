"""The power that is stated is the power that simulated tests have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhn.reports.power import MOST_TASKS, fewest_tasks, power, tasks_needed
from qhn.reports.signed_rank import signed_rank


def found_share(d: float, tasks: int, repetitions: int = 1000) -> float:
    rng = np.random.default_rng([tasks, 31])
    tests = (signed_rank(list(rng.normal(d, 1.0, tasks)), 0.0) for _ in range(repetitions))
    return float(np.mean([test.p <= 0.05 for test in tests]))


@pytest.mark.parametrize("d", [0.4, 0.7, 1.2])
def test_a_planted_effect_is_found_at_the_power_stated(d):
    tasks = tasks_needed(d, wanted=0.8)
    assert found_share(d, tasks) == pytest.approx(power(d, tasks), abs=0.05)
    assert power(d, tasks) >= 0.8 > power(d, tasks - 1)


def test_without_an_effect_the_power_is_the_level():
    assert power(0.0, 20) == pytest.approx(0.05, abs=1e-6)


def test_the_sign_of_the_effect_does_not_matter():
    assert power(-0.5, 20) == pytest.approx(power(0.5, 20))


def test_too_few_tasks_find_nothing():
    assert fewest_tasks(0.05) == 6
    assert power(10.0, 5) == 0.0
    assert signed_rank([0.1, 0.2, 0.3, 0.4, 0.5], 0.0).p > 0.05
    assert tasks_needed(math.inf) == 6


def test_small_effects_need_many_tasks_or_have_no_answer():
    # The normal approximation: ((1.95996 + 0.84162) / d)^2 · π / 3 tasks.
    assert tasks_needed(0.01) == pytest.approx((2.80158 / 0.01) ** 2 * math.pi / 3, rel=1e-3)
    assert tasks_needed(1e-7) is None
    assert tasks_needed(0.0) is None
    assert tasks_needed(math.nan) is None
    assert tasks_needed(1e-4) < MOST_TASKS
