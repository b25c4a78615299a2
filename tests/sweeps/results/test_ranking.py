"""Which groups are better, by made-up summaries of which every order is known."""

from __future__ import annotations

import math

import pytest

from qhn.core.errors import InvalidValueError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.ranking import check_metric, has_direction, ranked, winners
from qhn.sweeps.results.statistics import SHOWN, GroupSummary, MeanInterval
from qhn.sweeps.spec import parse_spec

PLAN = make_plan(
    parse_spec(
        "{name: x, datasets: [moons, ring, {name: moons, noise: 0.2}], seeds: 2, "
        "objectives: [mle, {name: elbo, lambda: [1, 2]}]}"
    )
)


def summary(trial, mean, trials=2, failed=0):
    intervals = dict.fromkeys(SHOWN, MeanInterval(mean, math.nan, math.nan, math.nan))
    return GroupSummary(
        trial.group, trial.group_id, trial.config, 2, trials, 0, failed, intervals, {}
    )


def summaries(*means, **changes):
    """One for each of the first groups of the plan: three of moons, of ring, of noisier moons."""
    return [summary(t, mean, **changes) for t, mean in zip(PLAN.trials, means, strict=False)]


def means(groups, metric="test_accuracy_expected"):
    return [[g.intervals[metric].mean for g in part] for part in ranked(groups, metric)]


def names(groups, ids):
    return [group.group for group in groups if group.group_id in ids]


def test_groups_are_compared_within_one_data_set():
    groups = summaries(0.5, 0.9, 0.7, 0.8, 0.6, 0.7, 0.1, 0.3, 0.2)
    assert means(groups) == [[0.9, 0.7, 0.5], [0.8, 0.7, 0.6], [0.3, 0.2, 0.1]]
    best = names(groups, winners(groups, "test_accuracy_expected"))
    assert best == ["moons noise=0.1 elbo lambda=1", "ring mle", "moons noise=0.2 elbo lambda=1"]


def test_the_direction_is_that_of_the_metric():
    groups = summaries(0.5, 0.9, 0.7)
    assert means(groups, "nll") == [[0.5, 0.7, 0.9]]
    assert names(groups, winners(groups, "nll")) == ["moons noise=0.1 mle"]
    assert means(groups, "entropy") == [[0.9, 0.7, 0.5]]
    assert winners(groups, "entropy") == set()
    assert [has_direction(name) for name in ("nll", "entropy")] == [True, False]


def test_groups_of_equal_mean_share_the_first_place_in_the_order_of_the_plan():
    groups = summaries(0.9, 0.9, 0.7)
    assert [g.group for g in ranked(groups, "nll")[0]][1:] == [g.group for g in groups[:2]]
    assert len(winners(groups, "test_accuracy_expected")) == 2


def test_what_is_no_number_comes_last_and_never_wins():
    for metric in ("nll", "test_accuracy_expected"):
        groups = summaries(math.nan, 0.9, 0.7)
        assert math.isnan(means(groups, metric)[0][-1])
        assert groups[0].group_id not in winners(groups, metric)
    assert winners(summaries(math.nan), "nll") == set()


def test_only_groups_of_which_every_trial_has_a_result_compete():
    first, second, third = summaries(0.9, 0.8, 0.7)
    begun, broken = (
        summary(PLAN.trials[0], 0.9, trials=1),
        summary(PLAN.trials[1], 0.8, trials=1, failed=1),
    )
    assert winners([begun, broken, third], "train_accuracy_mode") == {third.group_id}
    assert winners([first, second, third], "train_accuracy_mode") == {first.group_id}
    assert winners([begun], "nll") == set()


def test_an_unknown_metric():
    assert check_metric("nll") == "nll"
    with pytest.raises(InvalidValueError, match=r"one of test_accuracy_expected, .* did you mean"):
        check_metric("tets_accuracy_expected")
    # A setting that results repeat: it is a column already.
    with pytest.raises(InvalidValueError, match="got 'lambda'"):
        check_metric("lambda")
