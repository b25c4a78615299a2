"""Runs of groups after kills, lost answers and deletions, and in databases of older versions."""

import math

import pytest
from tracked_examples import (
    ENDED_MS,
    NOTHING,
    Dying,
    Killed,
    check_tree,
    content,
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

from qhn.core.training.history import History
from qhn.sweeps.results.statistics import summarise
from qhn.sweeps.results.table import read_rows
from qhn.sweeps.store import TrialError, TrialRecord, open_store, read_record
from qhn.sweeps.tracking import SweepRuns, TrackingLocation

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_a_deleted_database_is_back_with_the_same_numbers(database, client, sweep):
    run_sweep(database, sweep, 2)
    run_sweep(database, sweep, 3)
    before = content(client, sweep)
    other = f"{sweep}-2"
    # Runs of the same trials under another name stand for those of an empty database.
    run_sweep(database, other, 3)
    anew = [
        ({**tags, "qhn.sweep": sweep}, *rest)
        for tags, *rest in content(client, other)
        if tags["qhn.kind"] != "sweep"
    ]
    assert anew == [found for found in before if found[0]["qhn.kind"] != "sweep"]


@pytest.mark.parametrize("before", ["nothing", "seeds", "interruption"])
def test_a_writer_killed_between_any_two_requests_is_made_up_for(database, client, sweep, before):
    """After each kill a new writer takes over, which is granted one request more."""
    plan = plan_of(sweep, 3)
    known = records_of(plan)
    if before == "seeds":
        run_sweep(database, sweep, 2)
    elif before == "interruption":
        some = {trial.trial_id: known[trial.trial_id] for trial in plan.trials[:3]}
        begun = TrialRecord(history(0, value=lambda step: 0.0), None, None)
        run_sweep(database, sweep, 3, {**some, plan.trials[3].trial_id: begun}, "KILLED", only=4)
    kills = 0
    while True:
        runs = open_runs(database, sweep, known, seeds=3)
        runs._experiment.client = Dying(client, kills)
        try:
            go_on(runs, plan, known)
            break
        except Killed:
            kills += 1
    assert kills > 5
    undisturbed = f"{sweep}-undisturbed"
    run_sweep(database, undisturbed, 3)
    for group in check_tree(client, sweep, plan).values():
        assert steps_of(client, group) == [0, 10, 20]
    expected = [
        ({**tags, "qhn.sweep": sweep}, *rest)
        for tags, *rest in content(client, undisturbed)
        if tags["qhn.kind"] != "sweep"
    ]
    assert [f for f in content(client, sweep) if f[0]["qhn.kind"] != "sweep"] == expected


def test_a_group_s_run_whose_making_was_never_answered_is_found(database, client, sweep):
    """The server makes the run, and the connection breaks before it says so."""

    class Breaking:
        def __init__(self):
            self.broken = False

        def __getattr__(self, name):
            def call(*args, **kwargs):
                answer = getattr(client, name)(*args, **kwargs)
                if name == "create_run" and not self.broken:
                    self.broken = True
                    raise ConnectionError("reset by peer")
                return answer

            return call

    plan = plan_of(sweep, 1)
    known = records_of(plan)
    runs = open_runs(database, sweep, known, seeds=1)
    runs._experiment.client = Breaking()
    with pytest.raises(Exception, match="reset by peer"):
        runs.project(plan.trials[0], known[plan.trials[0].trial_id])
    go_on(runs, plan, known)
    check_tree(client, sweep, plan)


def test_of_two_runs_of_a_group_one_is_kept(database, client, sweep):
    run_sweep(database, sweep, 2)
    group = runs_of(client, sweep, "group")[0]
    spare = client.create_run(group.info.experiment_id, tags=group.data.tags)
    for child in runs_of(client, sweep, "trial")[:2]:
        client.set_tag(child.info.run_id, "mlflow.parentRunId", spare.info.run_id)
    run_sweep(database, sweep, 2)
    for found in check_tree(client, sweep, plan_of(sweep, 2)).values():
        assert found.data.metrics["nll"] == pytest.approx(0.6)


def test_groups_of_an_old_database_get_runs_and_trials_their_parents(
    tmp_path, unpack_old_store, golden
):
    from mlflow.tracking import MlflowClient

    root = unpack_old_store(tmp_path / "old")
    location = TrackingLocation(f"sqlite:///{root}/mlflow.db", root / "mlflow.db")
    store, client = open_store(str(root)), MlflowClient(tracking_uri=location.uri)
    stored = golden("stored.json")["half"]
    plan = plan_of("half", spec=stored["text"])
    before = {r.data.tags["qhn.trial_id"]: r.info.run_id for r in runs_of(client, "half", "trial")}
    tables = {run.data.tags["mlflow.parentRunId"] for run in runs_of(client, "half", "trial")}
    assert tables == {runs_of(client, "half", "sweep")[0].info.run_id}

    def read(trial):
        return read_record(store, trial.trial_id)

    for _ in range(2):
        runs = SweepRuns(location, plan, read)
        known = {trial.trial_id: read(trial) for trial in plan.trials}
        go_on(runs, plan, known)
    groups = check_tree(client, "half", plan)
    after = {r.data.tags["qhn.trial_id"]: r.info.run_id for r in runs_of(client, "half", "trial")}
    assert before.items() <= after.items()
    summaries = summarise(read_rows(plan, store))
    assert summaries
    for summary in summaries:
        metrics = groups[summary.group].data.metrics
        assert metrics["seeds"] == summary.trials
        for name, interval in summary.intervals.items():
            assert metrics.get(name, math.nan) == pytest.approx(interval.mean, nan_ok=True)
            assert metrics.get(f"{name}.sd", math.nan) == pytest.approx(
                interval.deviation, nan_ok=True
            )


ONE_GROUP = "{name: NAME, datasets: [moons], objectives: [mle], seeds: SEEDSEXTRA}"


def one_group(sweep, seeds, extra=""):
    return plan_of(sweep, seeds, ONE_GROUP.replace("EXTRA", extra))


def the_group(client, sweep):
    (group,) = runs_of(client, sweep, "group")
    return group


def test_a_retried_trial_counts_only_when_it_has_ended_again(database, client, sweep):
    plan = one_group(sweep, 3)
    whole, mended, failing = plan.trials
    failure = TrialRecord(History(), None, TrialError("no", "", ENDED_MS, {"diverged": 5}))
    known = {whole.trial_id: record_of(whole)}
    known |= {mended.trial_id: failure, failing.trial_id: failure}
    go_on(open_runs(database, plan, known), plan, known)
    before = the_group(client, sweep).data.metrics
    assert (before["seeds"], before["failed"], before["flag.diverged"]) == (1, 2, 2)
    # Both are tried again, so neither has an end any more. One ends well, before the other one has
    # reported anything; that one then fails as it did before.
    known[failing.trial_id] = NOTHING
    known[mended.trial_id] = record_of(mended)
    runs = open_runs(database, plan, known)
    runs.project(mended, known[mended.trial_id])
    assert the_group(client, sweep).data.metrics == before
    known[failing.trial_id] = failure
    runs.project(failing, failure)
    go_on(runs, plan, known)
    after = the_group(client, sweep).data.metrics
    assert (after["seeds"], after["failed"], after["flag.diverged"]) == (2, 1, 1)
    assert after["nll"] == pytest.approx(0.6)


def test_a_lost_result_is_waited_for_when_seeds_are_added(database, client, sweep):
    few, more = one_group(sweep, 2), one_group(sweep, 3)
    known = records_of(more)
    go_on(open_runs(database, few, known), few, known)
    lost, added = more.trials[0], more.trials[2]
    known[lost.trial_id] = NOTHING
    runs = open_runs(database, more, known)
    runs.project(added, known[added.trial_id])
    # 0.5 and 0.7, and not 0.7 and 0.9 of the two that the store has at this moment.
    assert the_group(client, sweep).data.metrics["nll"] == pytest.approx(0.6)
    known[lost.trial_id] = record_of(lost)
    go_on(runs, more, known)
    group = the_group(client, sweep)
    assert (group.data.metrics["nll"], group.data.metrics["seeds"]) == (pytest.approx(0.7), 3)
    assert group.info.status == "FINISHED"


def test_groups_without_trials_go_and_new_tags_reach_the_others(database, client, sweep):
    plan = one_group(sweep, 2)
    known = records_of(plan)
    go_on(open_runs(database, plan, known), plan, known)
    # A rule for early stopping gives the group another id, and the trials a new parent.
    raced = one_group(sweep, 2, ", early_stopping: asha, tags: {project: thesis}")
    assert raced.trials[0].group_id != plan.trials[0].group_id
    go_on(open_runs(database, raced, known), raced, known)
    group = the_group(client, sweep)
    assert group.data.tags["qhn.group_id"] == raced.trials[0].group_id
    assert group.data.tags["project"] == "thesis"
    tagged = one_group(sweep, 2, ", early_stopping: asha, tags: {project: paper}")
    go_on(open_runs(database, tagged, known), tagged, known)
    assert the_group(client, sweep).data.tags["project"] == "paper"


def test_numbers_that_are_not_kept_are_read_again(database, client, sweep, monkeypatch):
    monkeypatch.setattr("qhn.sweeps.tracking.groups._MOST_VALUES_KEPT", 50)
    plan = one_group(sweep, 3)
    known = records_of(plan)
    runs = open_runs(database, plan, known)
    # Three reports of fourteen metrics each: there is room for one trial's 42 numbers.
    go_on(runs, plan, known)
    assert the_group(client, sweep).data.metrics["nll"] == pytest.approx(0.7)
