"""Runs of groups on a real SQLite store: their numbers, and whose parents they are."""

import math
from dataclasses import replace

import pytest
from tracked_examples import (
    ENDED_MS,
    check_tree,
    content,
    ended,
    go_on,
    history,
    open_runs,
    plan_of,
    record_of,
    records_of,
    run_sweep,
    runs_of,
    steps_of,
)

from qhn.core.metrics import BY_NAME
from qhn.sweeps.store import TrialError, TrialRecord
from qhn.sweeps.tracking import SweepRuns

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# The 97.5% quantiles of Student's t with one and two degrees of freedom, from a printed table.
T_1, T_2 = 12.706205, 4.302653


def test_a_group_has_settings_means_and_intervals(database, client, sweep):
    run_sweep(database, sweep, 3)
    groups = check_tree(client, sweep, plan_of(sweep, 3))
    assert {*groups} == {"moons mle", "moons elbo lambda=1"}
    group = groups["moons elbo lambda=1"]
    assert group.info.run_name == "elbo moons lambda=1"
    assert "mlflow.parentRunId" not in group.data.tags
    assert group.data.params["objective.lambda.value"] == "1.0"
    assert "seed" not in group.data.params
    metrics = group.data.metrics
    # 0.5, 0.7 and 0.9: mean 0.7, deviation 0.2, half an interval of t * 0.2 / sqrt(3).
    half = T_2 * 0.2 / math.sqrt(3)
    for name in ("test_accuracy_expected", "nll"):
        assert metrics[name] == pytest.approx(0.7)
        assert metrics[f"{name}.sd"] == pytest.approx(0.2)
        assert metrics[f"{name}.ci_low"] == pytest.approx(0.7 - half, abs=1e-6)
        assert metrics[f"{name}.ci_high"] == pytest.approx(0.7 + half, abs=1e-6)
    assert (metrics["seeds"], metrics["planned"]) == (3, 3)
    assert (metrics["failed"], metrics["stopped"]) == (0, 0)
    assert metrics["flag.collapse-to-prior"] == 3
    assert group.data.tags["qhn.flags"] == "collapse-to-prior=3"
    assert group.info.status == "FINISHED"
    assert group.info.end_time == ENDED_MS + 2
    curve = client.get_metric_history(group.info.run_id, "nll")
    assert [(p.step, p.value) for p in curve] == [
        (0, 0.0),
        (10, pytest.approx(0.35)),
        (20, pytest.approx(0.7)),
    ]


def test_a_group_is_written_when_its_last_trial_is_over(database, client, sweep):
    plan = plan_of(sweep, 2)
    runs = open_runs(database, sweep)
    for trial in plan.trials[:-1]:
        runs.project(trial, record_of(trial))
    found = {run.data.tags["qhn.group_id"]: run for run in runs_of(client, sweep, "group")}
    over, waiting = (found[trial.group_id] for trial in plan.trials[:2])
    assert over.data.metrics["nll"] == pytest.approx(0.6)
    assert over.info.status == "FINISHED"
    assert (waiting.data.metrics, waiting.info.status) == ({}, "RUNNING")


@pytest.mark.parametrize("name", ["sd", "ci_low", "ci_high"])
def test_what_is_no_number_is_not_sent(database, client, sweep, name):
    run_sweep(database, sweep, 1)
    for group in runs_of(client, sweep, "group"):
        assert group.data.metrics["nll"] == 0.5
        assert f"nll.{name}" not in group.data.metrics
        assert all(math.isfinite(value) for value in group.data.metrics.values())


def test_a_mean_that_would_leave_a_trial_out_is_not_sent(database, client, sweep):
    """A result of another version lacks a metric: the others' mean would be taken for all."""
    plan = plan_of(sweep, 2)
    known = records_of(plan)
    trial = plan.trials[0]
    metrics = {
        name: value for name, value in record_of(trial).result.metrics.items() if name != "nll"
    }
    known[trial.trial_id] = record_of(trial, metrics=metrics)
    run_sweep(database, sweep, 2, known)
    groups = check_tree(client, sweep, plan)
    found = groups[trial.group].data.metrics
    assert found["kl"] == pytest.approx(0.6)
    assert not {"nll.sd", "nll.ci_low", "nll.ci_high"} & found.keys()
    assert groups[plan.trials[1].group].data.metrics["nll"] == pytest.approx(0.6)


def test_failed_and_stopped_trials_are_counted(database, client, sweep):
    plan = plan_of(sweep, 3)
    known = records_of(plan)
    first, second, _ = (t for t in plan.trials if t.group == "moons mle")
    error = TrialError("no", "", ENDED_MS, {"diverged": 10})
    known[first.trial_id] = TrialRecord(history(0), None, error)
    rows = history(0, 10, value=lambda step: 0.05 * step)
    known[second.trial_id] = ended(second, rows, status="stopped", flags={})
    run_sweep(database, sweep, 3, known)
    group = check_tree(client, sweep, plan)["moons mle"]
    metrics = group.data.metrics
    assert (metrics["seeds"], metrics["failed"], metrics["stopped"]) == (2, 1, 1)
    assert metrics["planned"] == 3
    assert group.data.tags["qhn.flags"] == "collapse-to-prior=1 diverged=1"
    # The stopped trial counts with its last value, 0.5, from step 10 on: (0.5 + 0.45) / 2 there.
    curve = client.get_metric_history(group.info.run_id, "nll")
    assert [(p.step, p.value) for p in curve] == [
        (0, 0.0),
        (10, pytest.approx(0.475)),
        (20, pytest.approx(0.7)),
    ]
    assert group.info.status == "FINISHED"


def test_a_group_of_failures_alone_has_failed(database, client, sweep):
    plan = plan_of(sweep, 1)
    error = TrialRecord(history(0), None, TrialError("no", "", ENDED_MS))
    known = {trial.trial_id: error for trial in plan.trials}
    run_sweep(database, sweep, 1, known)
    for group in runs_of(client, sweep, "group"):
        assert group.info.status == "FAILED"
        counts = {"seeds": 0, "planned": 1, "failed": 1, "stopped": 0}
        assert group.data.metrics == counts


def test_more_seeds_make_the_group_s_run_anew(database, client, sweep):
    run_sweep(database, sweep, 2)
    before = check_tree(client, sweep, plan_of(sweep, 2))
    half = T_1 * math.sqrt(0.02) / math.sqrt(2)
    for group in before.values():
        assert group.data.metrics["nll"] == pytest.approx(0.6)
        assert group.data.metrics["nll.ci_low"] == pytest.approx(0.6 - half, abs=1e-6)
    run_sweep(database, sweep, 3)
    after = check_tree(client, sweep, plan_of(sweep, 3))
    for label, group in after.items():
        assert group.info.run_id != before[label].info.run_id
        assert group.data.metrics["seeds"] == 3
        assert group.data.metrics["nll"] == pytest.approx(0.7)
        assert steps_of(client, group) == [0, 10, 20]
        old = client.get_run(before[label].info.run_id)
        assert old.info.lifecycle_stage == "deleted"


def test_data_seeds_that_come_later_keep_the_trials(database, client, sweep):
    run_sweep(database, sweep, 2)
    before = {
        run.data.tags["qhn.trial_id"]: run.info.run_id
        for run in runs_of(client, sweep)
        if "qhn.trial_id" in run.data.tags
    }
    over_tasks = "2\ndata_seeds: 2"
    run_sweep(database, sweep, over_tasks)
    groups = check_tree(client, sweep, plan_of(sweep, over_tasks))
    after = {
        run.data.tags["qhn.trial_id"]: run.info.run_id
        for run in runs_of(client, sweep)
        if "qhn.trial_id" in run.data.tags
    }
    assert len(after) == 2 * len(before)
    # Those with data seed 0 are the trials of before, with the same runs.
    assert before.items() <= after.items()
    for group in groups.values():
        metrics = group.data.metrics
        assert (metrics["seeds"], metrics["planned"], metrics["tasks"]) == (4, 4, 2)
        assert metrics["nll"] == pytest.approx(0.6)
        assert metrics["nll.sd_of_tasks"] == pytest.approx(0.0)


def test_fewer_seeds_leave_the_other_trials_below_the_group(database, client, sweep):
    run_sweep(database, sweep, 3)
    run_sweep(database, sweep, 2)
    groups = check_tree(client, sweep, plan_of(sweep, 3))
    for group in groups.values():
        assert group.data.metrics["nll"] == pytest.approx(0.6)


def test_running_again_with_nothing_new_changes_nothing(database, client, sweep):
    plan = plan_of(sweep, 2)
    known = records_of(plan)
    failed = plan.trials[0]
    known[failed.trial_id] = TrialRecord(history(0), None, TrialError("no", "", ENDED_MS))
    run_sweep(database, sweep, 2, known)
    before = content(client, sweep), {r.info.run_id for r in runs_of(client, sweep)}
    run_sweep(database, sweep, 2, known)
    assert (content(client, sweep), {r.info.run_id for r in runs_of(client, sweep)}) == before


def test_an_interrupted_sweep_shows_what_is_there_and_goes_on(database, client, sweep):
    plan = plan_of(sweep, 3)
    known = records_of(plan)
    some = {trial.trial_id: known[trial.trial_id] for trial in plan.trials[:3]}
    run_sweep(database, sweep, 3, some, status="KILLED", only=4)
    groups = check_tree(client, sweep, replace(plan, trials=plan.trials[:4]))
    first, second = (groups[trial.group] for trial in plan.trials[:2])
    assert {first.info.status, second.info.status} == {"KILLED"}
    assert (first.data.metrics["nll"], second.data.metrics["nll"]) == (pytest.approx(0.6), 0.5)
    assert (first.data.metrics["seeds"], first.data.metrics["planned"]) == (2, 3)
    assert steps_of(client, first) == [20]  # the curve is written once, when all is over
    # Interrupted again, with one trial more: what is there stays, and nobody waits for it.
    some[plan.trials[3].trial_id] = known[plan.trials[3].trial_id]
    run_sweep(database, sweep, 3, some, status="KILLED", only=4)
    again = check_tree(client, sweep, replace(plan, trials=plan.trials[:4]))
    assert again[plan.trials[1].group].data.metrics["nll"] == 0.5
    run_sweep(database, sweep, 3, known)
    for group in check_tree(client, sweep, plan).values():
        assert group.info.status == "FINISHED"
        assert group.data.metrics["nll"] == pytest.approx(0.7)
        assert steps_of(client, group) == [0, 10, 20]


def test_a_mended_failure_counts(database, client, sweep):
    plan = plan_of(sweep, 2)
    known = records_of(plan)
    mended = known[plan.trials[0].trial_id]
    known[plan.trials[0].trial_id] = TrialRecord(history(0), None, TrialError("no", "", ENDED_MS))
    run_sweep(database, sweep, 2, known)
    known[plan.trials[0].trial_id] = mended
    run_sweep(database, sweep, 2, known)
    group = check_tree(client, sweep, plan)[plan.trials[0].group]
    assert (group.data.metrics["failed"], group.data.metrics["seeds"]) == (0, 2)
    assert group.data.metrics["nll"] == pytest.approx(0.6)


def test_other_values_rename_groups(database, client, sweep):
    """A second λ makes λ what differs, and so what names begin with."""
    run_sweep(database, sweep, 1)
    more = plan_of(sweep, 1, spec=SPEC_OF_TWO)
    known = records_of(more)
    runs = SweepRuns(database, more, lambda trial: known[trial.trial_id])
    go_on(runs, more, known)
    groups = check_tree(client, sweep, more)
    assert groups["moons elbo lambda=1"].info.run_name == "elbo lambda=1 moons"


SPEC_OF_TWO = """
name: NAME
datasets: [moons]
objectives: [mle, {name: elbo, lambda: [1, 3]}]
seeds: SEEDS
"""


def test_the_example_has_every_metric():
    assert set(record_of(plan_of("any").trials[0]).result.metrics) == set(BY_NAME)
