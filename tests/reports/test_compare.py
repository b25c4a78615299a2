"""Comparisons: how often they are wrong, how often they find an effect, and what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from score_examples import SUBJECT, drawn, scores

from qhn.core.errors import InvalidValueError
from qhn.reports.compare import compare_deviations, compare_means, corrected
from qhn.reports.power import power, tasks_needed
from qhn.sweeps.results.statistics import mean_interval

REPETITIONS = 1000
BOTH = pytest.mark.parametrize("compare", [compare_means, compare_deviations])


@BOTH
@pytest.mark.parametrize("tasks", [8, 20])
def test_identical_groups_give_evidence_in_at_most_seven_of_a_hundred_cases(compare, tasks):
    rng = np.random.default_rng(17)
    found = [
        compare(SUBJECT, scores(drawn(rng, tasks, 5)), scores(drawn(rng, tasks, 5)))
        for _ in range(REPETITIONS)
    ]
    false = np.mean([one.verdict != "no evidence" for one in found])
    assert false <= 0.07
    # A test that never finds anything would pass as well.
    assert false > 0.01


def test_identical_groups_on_one_task_give_evidence_as_rarely():
    rng = np.random.default_rng(18)
    pairs = (
        (rng.normal(0.85, 0.03, (1, 24)), rng.normal(0.85, 0.03, (1, 24)))
        for _ in range(REPETITIONS)
    )
    found = [compare_means(SUBJECT, scores(one), scores(other)) for one, other in pairs]
    assert 0.01 < np.mean([one.verdict != "no evidence" for one in found]) <= 0.07


def test_over_a_table_of_identical_groups_holm_keeps_the_level(monkeypatch):
    # Statsmodels collects garbage in each call, which takes forty milliseconds.
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(19)
    false = 0
    for _ in range(REPETITIONS // 5):
        base = scores(drawn(rng, 12, 4))
        table = [compare_means(SUBJECT, scores(drawn(rng, 12, 4)), base) for _ in range(5)]
        false += any(one.verdict != "no evidence" for one in corrected(table))
    assert false / (REPETITIONS // 5) <= 0.07 + 0.02


@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_effect_is_found_at_the_power_stated(sign):
    rng = np.random.default_rng(20)
    d, seeds, spread = 0.6, 4, 0.02
    tasks = tasks_needed(d)
    found = []
    for _ in range(REPETITIONS):
        levels = rng.normal(0.85, 0.05, (tasks, 1))
        # The differences of the task means have a deviation of `spread`.
        noise = rng.normal(0.0, spread * math.sqrt(seeds / 2), (2, tasks, seeds))
        group = levels + noise[0] + sign * d * spread
        found.append(compare_means(SUBJECT, scores(group), scores(levels + noise[1])))
    right = np.mean([one.verdict == ("higher" if sign > 0 else "lower") for one in found])
    assert right == pytest.approx(power(d, tasks), abs=0.05)


def test_a_planted_deviation_is_found():
    rng = np.random.default_rng(21)
    base = rng.normal(0.85, 0.04, (20, 10))
    calm = rng.normal(0.85, 0.015, (20, 10))
    found = compare_deviations(SUBJECT, scores(calm), scores(base))
    assert found.verdict == "lower"
    assert found.difference.mean == pytest.approx(
        (calm.std(axis=1, ddof=1) - base.std(axis=1, ddof=1)).mean()
    )


@BOTH
def test_groups_that_are_nearly_identical_are_no_evidence(compare):
    base = drawn(np.random.default_rng(22), 20, 10)
    found = compare(SUBJECT, scores(base * (1 + 1e-9)), scores(base))
    assert found.verdict == "no evidence"
    assert (found.p, found.ties, found.tasks_needed) == (1.0, 20, None)
    # Without the size of a tie the test would be sure of it.
    assert compare(SUBJECT, scores(base * (1 + 1e-9)), scores(base), tie=0.0).verdict == "higher"


def test_what_a_comparison_holds():
    rng = np.random.default_rng(23)
    group, base = drawn(rng, 12, 3, shift=0.02), drawn(rng, 12, 3)
    found = compare_means(SUBJECT, scores(group), scores(base), chosen_here=True)
    differences = group.mean(axis=1) - base.mean(axis=1)
    assert found.unit == "task"
    assert found.tasks == tuple(f"moons {task}" for task in range(12))
    assert found.seeds == (3,) * 12
    ours, expected = found.difference, mean_interval(list(differences))
    assert (ours.mean, ours.low, ours.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert found.p == found.p_holm == pytest.approx(stats.wilcoxon(differences).pvalue)
    assert found.effect.d == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert found.tasks_needed == tasks_needed(found.effect.d)
    assert found.chosen_here


def test_only_common_tasks_and_seeds_are_compared():
    group = {"a": {0: 0.5, 1: 0.7, 2: 9.0}, "b": {0: 0.6}, "c": {0: 1.0}}
    base = {"b": {0: 0.5, 5: 7.0}, "a": {1: 0.6, 0: 0.6}, "d": {0: 0.0}}
    found = compare_means(SUBJECT, group, base)
    assert (found.tasks, found.seeds) == (("a", "b"), (2, 1))
    # On a 0.6 and 0.6, on b 0.6 and 0.5.
    assert found.difference.mean == pytest.approx(0.05)
    of_spread = compare_deviations(SUBJECT, group, base)
    assert of_spread.tasks == ("a",)
    assert of_spread.difference.mean == pytest.approx(math.sqrt(0.02))


def test_with_one_task_the_unit_is_the_seed():
    rng = np.random.default_rng(24)
    base = rng.normal(0.8, 0.01, (1, 15))
    found = compare_means(SUBJECT, scores(base + 0.05), scores(base))
    assert (found.unit, found.verdict, found.higher) == ("seed", "higher", 15)
    assert found.tasks_needed is None
    of_spread = compare_deviations(SUBJECT, scores(base * 3), scores(base))
    assert (of_spread.unit, of_spread.verdict) == ("seed", "no evidence")
    assert math.isnan(of_spread.p)


@BOTH
@pytest.mark.parametrize("tasks", [1, 8])
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_values_that_are_not_finite_are_no_evidence(compare, tasks, odd):
    base = drawn(np.random.default_rng(25), tasks, 5)
    base[0, 0] = odd
    for group in (base, base + 0.1):
        found = compare(SUBJECT, scores(group), scores(base))
        assert found.verdict == "no evidence"
        assert math.isnan(found.p)


def test_a_mean_against_the_ranks_is_no_evidence():
    # Nineteen tasks are a little higher, and one is much lower.
    differences = np.array([*np.linspace(0.01, 0.02, 19), -0.9])
    found = compare_means(SUBJECT, scores(differences[:, None]), scores(np.zeros((20, 1))))
    assert found.p < 0.05
    assert found.difference.mean < 0
    assert found.verdict == "no evidence"


def test_the_correction_goes_over_the_tests_that_were_made():
    rng = np.random.default_rng(26)
    base = drawn(rng, 10, 4)
    near = compare_means(SUBJECT, scores(base + rng.normal(0.02, 0.02, (10, 4))), scores(base))
    broken = compare_means(SUBJECT, scores(base * math.nan), scores(base))
    first, second, third = corrected([near, broken, near])
    assert first.p_holm == third.p_holm == pytest.approx(min(1.0, 2 * near.p))
    assert math.isnan(second.p_holm)
    assert first.p == near.p


@BOTH
def test_groups_without_anything_in_common_are_refused(compare):
    with pytest.raises(InvalidValueError, match=r"elbo lambda=0\.1 and mle have none on moons"):
        compare(SUBJECT, {"a": {0: 0.5, 1: 0.4}}, {"a": {2: 0.5}, "b": {0: 0.5, 1: 0.4}})
