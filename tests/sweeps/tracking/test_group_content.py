"""The mean curve of a group, with numbers worked out by hand."""

import math

import pytest
from tracked_examples import ended, history, plan_of

from qhn.sweeps.results.statistics import SHOWN
from qhn.sweeps.tracking.group_content import group_points, mean_curve, member_of

TRIALS = plan_of("any", seeds=3).trials[::2]


def member(trial, *steps, slope=1.0, **changes):
    rows = history(*steps, value=lambda step: slope * step)
    return member_of(trial, ended(trial, rows, **changes))


def curve_of(members):
    return [(step, means["nll"]) for step, means in mean_curve(members)]


def test_the_mean_is_taken_step_by_step():
    members = [member(TRIALS[0], 0, 10, 20), member(TRIALS[1], 0, 10, 20, slope=3.0)]
    assert curve_of(members) == [(0, 0.0), (10, 20.0), (20, 40.0)]


def test_a_stopped_trial_counts_on_with_its_last_values():
    members = [member(TRIALS[0], 0, 10, 20), member(TRIALS[1], 0, 10, status="stopped")]
    assert curve_of(members) == [(0, 0.0), (10, 10.0), (20, 15.0)]


def test_there_is_no_mean_before_every_trial_has_a_value():
    """A checkpoint was lost: of that trial only the end is known."""
    (first, one), (second, two), (third, three) = curve_of(
        [member(TRIALS[0], 0, 10, 20), member(TRIALS[1], 20)]
    )
    assert (first, second, third) == (0, 10, 20)
    assert math.isnan(one) and math.isnan(two)
    assert three == 20.0


def test_the_curve_ends_at_the_mean_of_final_metrics():
    members = [member(t, 0, 10, 20, slope=t.config.seed + 0.1) for t in TRIALS]
    rows = [one.row for one in members]
    points = group_points(rows, members, with_curve=True)
    of_curve = [(step, value) for name, value, _, step in points if name == "nll"]
    assert of_curve == [(0, 0.0), (10, pytest.approx(11.0)), (20, pytest.approx(22.0))]
    assert len({(name, step) for name, _, _, step in points}) == len(points)


def test_over_tasks_the_curve_is_the_mean_of_the_tasks_means():
    """Two trials of one task and one of another: each task counts half."""
    trials = plan_of("any", "{first: 0, count: 2}\ndata_seeds: 2").trials[::2]
    first, other, last = (
        next(t for t in trials if (t.data_seed, t.config.seed) == pair)
        for pair in ((0, 0), (0, 1), (1, 0))
    )
    members = [member(first, 0, 10), member(other, 0, 10, slope=3), member(last, 0, 10, slope=10)]
    # (1 + 3) / 2 = 2 and 10, and the mean of these is 6.
    assert curve_of(members) == [(0, 0.0), (10, 60.0)]
    points = group_points([one.row for one in members], members, with_curve=True)
    found = {name: value for name, value, _, _ in points}
    assert (found["seeds"], found["tasks"]) == (3, 2)
    assert found["nll"] == pytest.approx(60.0)
    # The tasks' means are 20 and 100, whose deviation is 80 / sqrt(2).
    assert found["nll.sd_of_tasks"] == pytest.approx(80 / math.sqrt(2))
    # Within the first task they are 10 and 30; the other one has a single seed.
    assert found["nll.sd"] == pytest.approx(20 / math.sqrt(2))


def test_without_the_curve_there_is_one_point_for_each_name():
    members = [member(t, 0, 10, 20) for t in TRIALS]
    points = group_points([one.row for one in members], members, with_curve=False)
    names = [name for name, *_ in points]
    assert len(names) == len(set(names))
    assert set(SHOWN) <= set(names)


def test_what_is_kept_of_a_trial_has_no_strings():
    assert member(TRIALS[0], 0, 10).row.result.top_strings == ()
