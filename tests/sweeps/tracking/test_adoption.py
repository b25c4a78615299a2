"""Runs of an earlier version, which gave trials with early stopping other ids, are adopted."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from qhn.core.metrics import ORIGINAL_NAMES
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialRecord, TrialResult
from qhn.sweeps.tracking import SweepRuns

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

GOLDEN = Path(__file__).parents[2] / "golden"
RACED = json.loads((GOLDEN / "stored.json").read_text())["raced"]
# The golden file has its trials in the order of the plan, by the ids that f0fdd86 gave them.
FORMER = list(RACED["trials"])
PLAN = make_plan(parse_spec(RACED["text"], "golden"))
TRIALS = PLAN.trials
BY_FORMER = {trial.former_id: trial for trial in TRIALS}
NOW = {former: trial.trial_id for former, trial in BY_FORMER.items()}
STOPPED = [former for former, trial in RACED["trials"].items() if trial["then"] == "stopped"]
OPEN = [
    former for former, trial in RACED["trials"].items() if trial["then"] is None and trial["step"]
]


@pytest.fixture
def client(old_database):
    return MlflowClient(tracking_uri=old_database.uri)


def runs_of(client, sweep="raced"):
    experiment = client.get_experiment_by_name(sweep).experiment_id
    return client.search_runs([experiment])


def is_child(run):
    return run.data.tags["qhn.kind"] == "trial"


def trial_runs(client):
    found = runs_of(client)
    return {run.data.tags["qhn.trial_id"]: run for run in found if "qhn.trial_id" in run.data.tags}


def content(client, run):
    """All that a run has but its trial id; values as text, for NaN is not equal to itself."""
    tags = {name: value for name, value in run.data.tags.items() if name != "qhn.trial_id"}
    points = {
        name: [(point.step, point.timestamp, repr(point.value)) for point in history]
        for name in run.data.metrics
        for history in [client.get_metric_history(run.info.run_id, name)]
    }
    info = run.info
    return info.run_id, info.status, info.end_time, tags, run.data.params, points


def nothing(trial):
    return TrialRecord(History(), None, None)


def open_raced(location):
    return SweepRuns(location, PLAN, nothing)


def schema(database):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(
            "SELECT sql, (SELECT version_num FROM alembic_version) FROM sqlite_master ORDER BY sql"
        ).fetchall()


def record(*steps, status=None, first_stamp=1_800_000_000_000, trial_id=""):
    rows = History()
    for number, step in enumerate(steps):
        rows.append(step, first_stamp + number, dict.fromkeys(ORIGINAL_NAMES, step / 7))
    if status is None:
        return TrialRecord(rows, None, None)
    result = TrialResult(
        trial_id, status, steps[-1], rows.last(), {}, (), 1.0, first_stamp, first_stamp + 999
    )
    return TrialRecord(rows, result, None)


def test_the_golden_store_has_what_these_tests_need():
    assert STOPPED and OPEN
    assert list(NOW) == FORMER
    assert all(former != now for former, now in NOW.items())


def test_every_run_is_adopted_as_it_is(old_database, client):
    before, tables = trial_runs(client), schema(old_database.database)
    assert {*STOPPED, OPEN[0]} <= before.keys() <= set(FORMER)
    contents = {NOW[former]: content(client, run) for former, run in before.items()}
    for _ in range(2):
        open_raced(old_database)
        after = trial_runs(client)
        assert {trial: content(client, run) for trial, run in after.items()} == contents
    assert len(runs_of(client)) == len(before) + 1  # the sweep's own
    assert schema(old_database.database) == tables


def test_only_runs_of_trials_have_a_trial_id(old_database, client):
    open_raced(old_database)
    for run in runs_of(client):
        assert ("qhn.trial_id" in run.data.tags) == (run.data.tags["qhn.kind"] == "trial")


def test_without_former_ids_nothing_is_tagged_anew(old_database, client):
    before = set(trial_runs(client))
    unaware = [replace(trial, former_id=None) for trial in PLAN.trials]
    SweepRuns(old_database, replace(PLAN, trials=tuple(unaware)), nothing)
    assert set(trial_runs(client)) == before


@pytest.mark.parametrize("sweep", ["half", "diverged"])
def test_runs_of_sweeps_without_early_stopping_stay(old_database, client, sweep):
    def contents():
        return [content(client, run) for run in runs_of(client, sweep) if is_child(run)]

    before = contents()
    text = json.loads((GOLDEN / "stored.json").read_text())[sweep]["text"]
    SweepRuns(old_database, make_plan(parse_spec(text, "golden")), nothing)
    assert contents() == before


def test_a_trial_that_was_under_way_goes_on_in_its_run(old_database, client):
    former = OPEN[0]
    run = trial_runs(client)[former]
    had = client.get_metric_history(run.info.run_id, "nll")
    runs = open_raced(old_database)
    steps = [*(point.step for point in had), 20_000]
    trial = BY_FORMER[former]
    runs.project(trial, record(*steps, status="finished", trial_id=trial.trial_id))
    mended = trial_runs(client)[NOW[former]]
    assert mended.info.run_id == run.info.run_id
    assert mended.info.status == "FINISHED"
    now = client.get_metric_history(run.info.run_id, "nll")
    assert [(p.step, p.timestamp, p.value) for p in now[:-1]] == [
        (p.step, p.timestamp, p.value) for p in had
    ]
    assert now[-1].step == 20_000
    assert len(trial_runs(client)) == sum(map(is_child, runs_of(client)))


def test_a_stop_of_this_sweep_stays_as_it_is(old_database, client):
    former = STOPPED[0]
    run = trial_runs(client)[former]
    before = content(client, run)
    assert run.info.status == "FINISHED"
    steps = int(run.data.tags["qhn.stopped_early"])
    runs = open_raced(old_database)
    runs.project(BY_FORMER[former], record(0, steps, status="stopped", trial_id=NOW[former]))
    assert content(client, trial_runs(client)[NOW[former]]) == before


def test_a_stop_that_was_overtaken_becomes_a_finished_run(old_database, client):
    """The sweep's rule was dropped, and the trial trained to its end."""
    former = STOPPED[0]
    before = trial_runs(client)[former]
    stop = int(before.data.tags["qhn.stopped_early"])
    runs = open_raced(old_database)
    assert NOW[former] in runs.unfinished(set(NOW.values()))
    end = record(0, stop, stop + 250, status="finished", trial_id=NOW[former])
    runs.project(BY_FORMER[former], end)
    run = trial_runs(client)[NOW[former]]
    assert run.info.run_id == before.info.run_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["qhn.stopped_early"] == ""
    steps = [p.step for p in client.get_metric_history(run.info.run_id, "nll")]
    assert steps == sorted(set(steps)) and steps[-1] == stop + 250
    again = open_raced(old_database)
    assert NOW[former] not in again.unfinished(set(NOW.values()))


@pytest.mark.parametrize("fuller", ["former", "new"])
def test_of_a_former_and_a_new_run_the_fuller_stays(old_database, client, fuller):
    former = OPEN[0]
    old = trial_runs(client)[former]
    tags = {**old.data.tags, "qhn.trial_id": NOW[former]}
    new = client.create_run(old.info.experiment_id, tags=tags)
    last = max(p.step for p in client.get_metric_history(old.info.run_id, "objective"))
    count = 1 if fuller == "former" else last // 250 + 2
    for number in range(count):
        client.log_metric(new.info.run_id, "objective", 0.5, step=number * 250)
    open_raced(old_database)
    kept = trial_runs(client)
    assert former not in kept
    assert kept[NOW[former]].info.run_id == (old if fuller == "former" else new).info.run_id
    spare = client.get_run((new if fuller == "former" else old).info.run_id)
    assert spare.info.lifecycle_stage == "deleted"


def test_a_trial_without_a_run_gets_one(old_database, client):
    missing = next(former for former in FORMER if former not in trial_runs(client))
    runs = open_raced(old_database)
    runs.project(BY_FORMER[missing], record(0, 250))
    assert NOW[missing] in trial_runs(client)
