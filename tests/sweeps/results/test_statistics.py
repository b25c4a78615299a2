"""Intervals against SciPy, and summaries against numbers worked out by hand."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from qhn.core.metrics import BY_NAME, ORIGINAL_NAMES
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.statistics import (
    SHOWN,
    interval_over_tasks,
    mean_interval,
    summarise,
    summary_csv,
)
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult

# The 97.5% quantiles of Student's t, from a printed table.
T_2, T_1 = 4.302653, 12.706205


def test_the_interval_agrees_with_scipy():
    values = np.random.default_rng(3).normal(0.9, 0.05, 12)
    ours = mean_interval(list(values))
    low, high = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert ours.mean == pytest.approx(values.mean())
    assert ours.deviation == pytest.approx(np.std(values, ddof=1))
    assert (ours.low, ours.high) == pytest.approx((low, high))


def test_one_value_has_no_interval():
    ours = mean_interval([0.5])
    assert ours.mean == 0.5
    assert all(math.isnan(x) for x in (ours.deviation, ours.low, ours.high))


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_no_number_is_not_averaged_away(odd, recwarn):
    ours = mean_interval([0.5, odd, 0.7])
    assert not math.isfinite(ours.mean)
    assert math.isnan(ours.low)
    assert not recwarn.list


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(7)
    repetitions = 2000
    covered = 0
    for _ in range(repetitions):
        ours = mean_interval(list(rng.normal(0.0, 1.0, 5)))
        covered += ours.low <= 0.0 <= ours.high
    error = math.sqrt(0.95 * 0.05 / repetitions)
    assert abs(covered / repetitions - 0.95) < 4 * error


def test_what_is_shown_are_the_metrics_of_the_table():
    assert SHOWN[:14] == (
        "test_accuracy_expected",
        "test_accuracy_mode",
        "test_accuracy_average",
        "test_accuracy_best_of_k",
        "train_accuracy_expected",
        "train_accuracy_mode",
        "train_accuracy_average",
        "train_accuracy_best_of_k",
        "objective",
        "nll",
        "kl",
        "mmd2",
        "entropy",
        "gradient_norm",
    )
    assert sorted([*SHOWN, "lambda"]) == sorted(BY_NAME)


PLAN = make_plan(
    parse_spec("{name: x, datasets: moons, objectives: [mle, {name: elbo, lambda: 1}], seeds: 3}")
)


def result(trial, nll, **changes):
    metrics = dict.fromkeys(ORIGINAL_NAMES, 0.25) | {"nll": nll}
    made = TrialResult(
        trial_id=trial.trial_id,
        status="finished",
        steps=250,
        metrics=metrics,
        flags={},
        top_strings=(),
        training_seconds=1.0,
        started_ms=0,
        finished_ms=1000,
    )
    return replace(made, **changes)


def results():
    """Three results of mle, of which two have flags and one was stopped; two of elbo."""
    mle = [trial for trial in PLAN.trials if trial.group == "moons mle"]
    elbo = [trial for trial in PLAN.trials if trial.group != "moons mle"]
    found = [
        result(mle[0], 1.0),
        result(mle[1], 2.0, flags={"collapsed": 30, "diverged": 90}),
        result(mle[2], 6.0, flags={"collapsed": 10}, status="stopped", steps=50),
        result(elbo[2], 4.0),
        result(elbo[0], 2.0),
    ]
    return {one.trial_id: one for one in found}


def test_a_summary_by_hand():
    mle, elbo = summarise(make_rows(PLAN.trials, results(), {}))
    assert (mle.group, mle.trials, mle.stopped) == ("moons mle", 3, 1)
    assert mle.flags == {"collapsed": 2, "diverged": 1}
    # Of 1, 2 and 6: mean 3, sum of squares 14, deviation sqrt(7).
    interval = mle.intervals["nll"]
    half = T_2 * math.sqrt(7) / math.sqrt(3)
    assert (interval.mean, interval.deviation) == (3.0, pytest.approx(math.sqrt(7)))
    assert (interval.low, interval.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)
    # Of 2 and 4: mean 3, deviation sqrt(2), over sqrt(2) seeds.
    assert (elbo.group, elbo.trials, elbo.stopped) == ("moons elbo lambda=1", 2, 0)
    assert elbo.intervals["nll"].high == pytest.approx(3 + T_1, rel=1e-6)
    assert elbo.intervals["kl"].deviation == 0


def test_groups_without_results_are_left_out():
    only = PLAN.trials[1]
    (summary,) = summarise(make_rows(PLAN.trials, {only.trial_id: result(only, 1.0)}, {}))
    assert (summary.group, summary.trials) == (only.group, 1)
    assert summarise(make_rows(PLAN.trials, {}, {})) == []


def test_an_absent_metric_reads_as_no_number():
    trial = PLAN.trials[0]
    bare = result(trial, 1.0, metrics={"nll": 1.0})
    (summary,) = summarise(make_rows(PLAN.trials, {trial.trial_id: bare}, {}))
    assert summary.intervals["nll"].mean == 1.0
    assert math.isnan(summary.intervals["kl"].mean)


def test_the_table_by_hand():
    text = summary_csv(summarise(make_rows(PLAN.trials, results(), {})))
    mle, elbo = csv.DictReader(io.StringIO(text))
    columns = list(mle)
    assert columns[:3] == ["group", "group_id", "ansatz.depth"] and "seed" not in columns
    counts = columns.index("planned")
    assert columns[counts : counts + 6] == [
        "planned",
        "trials",
        "stopped",
        "failed",
        "flags",
        "test_accuracy_expected_mean",
    ]
    assert len(columns[counts + 5 :]) == 4 * len(SHOWN)
    assert (mle["dataset.name"], mle["objective.lambda.value"]) == ("moons", "")
    assert elbo["objective.lambda.value"] == "1.0"
    assert (mle["group"], mle["trials"], mle["stopped"]) == ("moons mle", "3", "1")
    assert mle["flags"] == "collapsed=2 diverged=1"
    numbers = [mle[f"nll_{part}"] for part in ("mean", "deviation", "low", "high")]
    assert numbers == ["3", "2.64575", "-3.57241", "9.57241"]
    assert (elbo["flags"], elbo["nll_mean"], elbo["kl_deviation"]) == ("", "3", "0")


def test_over_tasks_the_task_is_the_unit():
    found = interval_over_tasks({0: [1.0, 3.0], 1: [4.0, 5.0, 9.0], 2: [6.0]})
    means = [2.0, 6.0, 6.0]
    over = mean_interval(means)
    assert (found.mean, found.low, found.high) == (over.mean, over.low, over.high)
    assert found.between == over.deviation
    # Squares 1 + 1 + 4 + 1 + 9, and 1 + 2 + 0 degrees of freedom.
    assert found.deviation == pytest.approx(math.sqrt(16 / 3))
    single = interval_over_tasks({5: [1.0, 2.0]})
    assert single.mean == 1.5 and math.isnan(single.low) and math.isnan(single.between)
    assert single.deviation == pytest.approx(math.sqrt(0.5))
    assert math.isnan(interval_over_tasks({0: [1.0], 1: [2.0]}).deviation)


def test_a_summary_over_tasks_counts_them_and_its_table_says_so():
    text = "{name: t, datasets: moons, objectives: mle, seeds: 2, data_seeds: 3}"
    trials = make_plan(parse_spec(text)).trials
    results = {
        trial.trial_id: result(trial, trial.config.dataset.seed + trial.config.seed / 2)
        for trial in trials[:5]
    }
    (group,) = summarise(make_rows(trials, results, {}))
    assert (group.tasks, group.trials, group.planned) == (3, 5, 6)
    # The tasks have the means 0.25, 1.25 and 2.
    assert group.intervals["nll"].mean == pytest.approx(3.5 / 3)
    (row,) = csv.DictReader(io.StringIO(summary_csv([group])))
    assert row["tasks"] == "3" and "dataset.seed" not in row and "seed" not in row
    assert float(row["nll_between"]) == pytest.approx(np.std([0.25, 1.25, 2.0], ddof=1), abs=1e-5)
