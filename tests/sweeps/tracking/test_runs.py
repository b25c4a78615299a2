"""The projection to MLflow, on a real SQLite store."""

import socket
import threading
from contextlib import suppress

import pytest
from tracked_examples import (
    Dying,
    Killed,
    history,
    open_runs,
    plan_of,
    result,
    runs_of,
    steps_of,
)

from qhn.core.errors import TrackingError
from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.store import TrialError, TrialRecord, open_store
from qhn.sweeps.tracking import TrackingLocation, tracking_location

TRIALS = plan_of("tracked").trials

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_a_trial_becomes_one_run_below_its_group(database, client, sweep):
    runs, trial, rows = open_runs(database, sweep), TRIALS[1], history(0, 10, 20)
    runs.project(trial, TrialRecord(rows, result(trial, rows), None))
    (parent,), (child,) = runs_of(client, sweep, "group"), runs_of(client, sweep, "trial")
    tags = child.data.tags
    assert tags["mlflow.parentRunId"] == parent.info.run_id
    assert tags["qhn.sweep"] == sweep
    assert tags["qhn.trial_id"] == trial.trial_id
    assert (tags["qhn.group"], tags["qhn.group_id"]) == (trial.group, trial.group_id)
    assert tags["mlflow.runName"] == "seed=0 elbo moons lambda=1"
    assert (tags["dataset"], tags["objective"], tags["device"]) == ("moons", "elbo", "exact")
    assert tags["qhn.flag.collapse-to-prior"] == "10"
    assert child.data.params["objective.lambda.value"] == "1.0"
    assert child.data.params["training.steps"] == "250"
    assert child.info.status == "FINISHED"
    assert child.info.end_time == 1_700_000_009_000
    assert steps_of(client, child) == [0, 10, 20]
    (artifact,) = client.list_artifacts(child.info.run_id)
    assert artifact.path == "posterior.csv"


def test_projecting_again_changes_nothing(database, client, sweep):
    trial, rows = TRIALS[0], history(0, 10)
    record = TrialRecord(rows, result(trial, rows), None)
    for _ in range(2):
        runs = open_runs(database, sweep)
        runs.project(trial, record)
        runs.project(trial, record)
    assert len(runs_of(client, sweep, "sweep")) == 1
    (child,) = runs_of(client, sweep, "trial")
    assert steps_of(client, child) == [0, 10]
    assert runs.unfinished({trial.trial_id, "f" * 16}) == {"f" * 16}


def test_a_resumed_trial_goes_on_in_its_run(database, client, sweep):
    trial = TRIALS[0]
    open_runs(database, sweep).project(trial, TrialRecord(history(0, 10), None, None))
    # The checkpoint was lost with the machine: the same steps again, at other times.
    rows = history(0, 10, 20, first_stamp=1_800_000_000_000)
    open_runs(database, sweep).project(trial, TrialRecord(rows, result(trial, rows), None))
    (child,) = runs_of(client, sweep, "trial")
    assert steps_of(client, child) == [0, 10, 20]
    assert child.info.status == "FINISHED"


@pytest.mark.parametrize("failed_before", [False, True])
def test_a_killed_writer_leaves_no_gap_and_no_double(database, client, sweep, failed_before):
    """Killed between any two requests, a new writer ends with the same run."""
    from mlflow.tracking import MlflowClient

    trial, rows = TRIALS[0], history(*range(0, 2000, 10))
    record = TrialRecord(rows, result(trial, rows), None)
    if failed_before:
        broken = TrialRecord(history(0), None, TrialError("no", "trace", 1_700_000_001_000))
        open_runs(database, sweep).project(trial, broken)

    for requests in range(15):
        runs = open_runs(database, sweep)
        assert isinstance(runs._experiment.client, MlflowClient)
        runs._experiment.client = Dying(client, requests)
        try:
            runs.project(trial, record)
        except Killed:
            continue
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.status == "FINISHED"
    assert steps_of(client, child) == list(range(0, 2000, 10))


def test_a_failed_trial_is_failed_until_it_is_mended(database, client, sweep):
    trial = TRIALS[0]
    broken = TrialRecord(history(0), None, TrialError("ValueError: no", "trace", 1_700_000_001_000))
    open_runs(database, sweep).project(trial, broken)
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.status == "FAILED"
    assert child.data.tags["qhn.error"] == "ValueError: no"
    rows = history(0, 10)
    open_runs(database, sweep).project(trial, TrialRecord(rows, result(trial, rows), None))
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.status == "FINISHED"
    assert child.data.tags["qhn.error"] == ""


def test_flags_of_a_failure_are_shown_until_it_is_mended(database, client, sweep):
    trial, flags = TRIALS[0], {"exploding-gradient": 10, "collapse-to-prior": 0}
    error = TrialError("training diverged", "", 1_700_000_001_000, flags)
    open_runs(database, sweep).project(trial, TrialRecord(history(0), None, error))
    (child,) = runs_of(client, sweep, "trial")
    assert child.data.tags["qhn.flag.exploding-gradient"] == "10"
    assert child.data.tags["qhn.flag.collapse-to-prior"] == "0"
    rows = history(0, 10)
    mended = result(trial, rows, flags={"collapse-to-prior": 10})
    open_runs(database, sweep).project(trial, TrialRecord(rows, mended, None))
    (child,) = runs_of(client, sweep, "trial")
    assert child.data.tags["qhn.flag.exploding-gradient"] == ""
    assert child.data.tags["qhn.flag.collapse-to-prior"] == "10"


def test_metrics_that_a_history_does_not_have_are_not_logged(database, client, sweep):
    rows = History()
    for step in (0, 10):
        rows.append(step, 1_700_000_000_000 + step, {"objective": 0.5, "nll": 0.25})
    runs = open_runs(database, sweep)
    runs.project(TRIALS[0], TrialRecord(rows, result(TRIALS[0], rows), None))
    (child,) = runs_of(client, sweep, "trial")
    assert child.data.metrics == {"objective": 0.5, "nll": 0.25}
    assert steps_of(client, child) == [0, 10]


def test_an_interrupted_sweep_leaves_no_open_run(database, client, sweep):
    runs = open_runs(database, sweep)
    runs.project(TRIALS[0], TrialRecord(history(0), None, None))
    runs.interrupt()
    runs.close("KILLED", {"summary.csv": "a\n"}, {"qhn.trials": "4"})
    assert [run.info.status for run in runs_of(client, sweep, "trial")] == ["KILLED"]
    (parent,) = runs_of(client, sweep, "sweep")
    assert parent.info.status == "KILLED"
    assert parent.data.tags["qhn.trials"] == "4"
    rows = history(0, 10)
    again = open_runs(database, sweep)
    again.project(TRIALS[0], TrialRecord(rows, result(TRIALS[0], rows), None))
    assert [run.info.status for run in runs_of(client, sweep, "trial")] == ["FINISHED"]


def test_what_is_no_number_is_not_logged(database, client, sweep):
    """MLflow would sort it among the numbers; a metric of another version reads as NaN."""
    rows = History()
    values = dict.fromkeys(BY_NAME, 0.5)
    rows.append(0, 1_700_000_000_000, values | {"nll": float("nan"), "kl": float("inf")})
    open_runs(database, sweep).project(TRIALS[0], TrialRecord(rows, None, None))
    (child,) = runs_of(client, sweep, "trial")
    assert child.data.metrics == {n: 0.5 for n in values if n not in ("nll", "kl")}


def test_a_deleted_experiment_says_how_to_restore_it(database, client, sweep):
    client.delete_experiment(open_runs(database, sweep).experiment_id)
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        open_runs(database, sweep)


@pytest.mark.parametrize("uri", ["nonsense://somewhere", "file:///tmp/qhn-file-store"])
def test_unusable_tracking_stores_are_one_message(uri):
    with pytest.raises(TrackingError, match="must be usable"):
        open_runs(TrackingLocation(uri), "anything")


def test_a_silent_server_is_one_message():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        uri = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TrackingError, match="must answer") as caught:
            open_runs(TrackingLocation(uri), "anything")
    assert "secret" not in str(caught.value)


def test_a_password_is_in_no_message():
    """MLflow quotes the whole address where a server breaks off."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://user:secret@127.0.0.1:{server.getsockname()[1]}"

        def break_off():
            with suppress(OSError):  # the test is over
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=break_off, daemon=True)
        thread.start()
        with pytest.raises(TrackingError, match="MLflow says: ") as caught:
            open_runs(TrackingLocation(uri), "anything")
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert "secret" not in str(caught.value)


def test_a_database_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    """A process killed while it makes the tables leaves nothing in the way of the next."""
    from mlflow.tracking import MlflowClient

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    location = tracking_location(open_store(str(tmp_path)), None)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(MlflowClient, "search_experiments", die)
        open_runs(location, "made")
    assert not location.database.exists()
    assert open_runs(location, "made").unfinished({"f" * 16}) == {"f" * 16}


def test_a_run_whose_making_was_never_answered_is_found(database, client, sweep):
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

    trial, rows = TRIALS[0], history(0, 10)
    record = TrialRecord(rows, result(trial, rows), None)
    runs = open_runs(database, sweep)
    runs._experiment.client = Breaking()
    with pytest.raises(TrackingError, match="reset by peer"):
        runs.project(trial, record)
    runs.project(trial, record)
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.status == "FINISHED"
    assert steps_of(client, child) == [0, 10]


def test_of_two_runs_of_a_trial_the_fuller_stays(database, client, sweep):
    """A request that was repeated on its way, by a proxy say, has made a second run."""
    trial, rows = TRIALS[0], history(0, 10)
    runs = open_runs(database, sweep)
    runs.project(trial, TrialRecord(rows, None, None))
    (full,) = runs_of(client, sweep, "trial")
    client.create_run(runs.experiment_id, tags=full.data.tags)
    again = open_runs(database, sweep)
    again.project(trial, TrialRecord(rows, result(trial, rows), None))
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.run_id == full.info.run_id
    assert child.info.status == "FINISHED"
    assert steps_of(client, child) == [0, 10]


def test_closing_can_be_stopped_between_any_two_requests(database, client, sweep):
    trial, rows = TRIALS[0], history(0, 10)
    runs = open_runs(database, sweep)
    runs.project(trial, TrialRecord(rows, None, None))
    requests = 0
    while True:
        left = iter(range(requests))
        try:
            with runs.stopping(lambda left=left: next(left, None) is None):
                runs.interrupt()
                runs.close("FINISHED", {"a.txt": "text"}, {"qhn.trials": "1"}, "A note.")
            break
        except TrackingError:
            requests += 1
            assert [run.info.status for run in runs_of(client, sweep, "sweep")] == ["RUNNING"]
    # The last attempt wrote the artifact, the tags, the description and the status. Those before it
    # had closed the two other runs.
    assert requests == 4
    (child,) = runs_of(client, sweep, "trial")
    assert child.info.status == "KILLED"
    assert [run.info.status for run in runs_of(client, sweep, "sweep")] == ["FINISHED"]
