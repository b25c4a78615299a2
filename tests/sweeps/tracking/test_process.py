"""The process that writes to MLflow: what it is asked for, what it must not know, how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import qhn
from qhn.core.errors import TrackingError
from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store, read_record
from qhn.sweeps.tracking import (
    Knowledge,
    SweepRuns,
    TrackingLocation,
    TrackingWriter,
    WriterProcess,
    child,
    tracking_location,
)

SPEC = "{{name: {}, datasets: [moons], objectives: [mle], seeds: 3}}"
_LIMIT_S = 90

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def save(store, trial, whole=True):
    """Put a trial into the store, as its actor does."""
    rows = History()
    for step in (0, 10):
        rows.append(step, 1000 + step, dict.fromkeys(BY_NAME, 0.5))
    store.save_checkpoint(trial.trial_id, {"history": rows.to_array()})
    if whole:
        store.save_result(
            TrialResult(trial.trial_id, "finished", 10, rows.last(), {}, (), 1.0, 1000, 2000)
        )


class Sweep:
    """One sweep on a store and a database that the tests share."""

    def __init__(self, store, location, name):
        self.store, self.location, self.name = store, location, name
        self.text = SPEC.format(name)
        self.plan = make_plan(parse_spec(self.text))
        self.trials = self.plan.trials

    def read(self, trial):
        return read_record(self.store, trial.trial_id)

    def process(self, location=None):
        return WriterProcess(location or self.location, self.store, self.text, Knowledge({}, {}))

    def thread(self, location=None):
        return TrackingWriter(
            lambda: SweepRuns(location or self.location, self.plan, self.read), self.read
        )

    def runs(self, kind="trial"):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=self.location.uri)
        experiment = client.get_experiment_by_name(self.name).experiment_id
        return client.search_runs([experiment], f"tags.`qhn.kind` = '{kind}'")

    def states(self, kind="trial"):
        return sorted(run.info.status for run in self.runs(kind))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store with its database: making one takes seconds."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    location = tracking_location(store)
    warm = make_plan(parse_spec(SPEC.format("warm")))
    SweepRuns(location, warm, lambda trial: read_record(store, trial.trial_id))
    return store, location


@pytest.fixture
def sweep(place, request):
    return Sweep(*place, request.node.name.partition("[")[0].replace("_", "-")[:60])


@pytest.fixture
def ended():
    """Ends the writer's processes of a test, whatever became of it."""
    writers = []
    yield writers.append
    for writer in writers:
        writer.end()


def end(writer):
    if isinstance(writer, WriterProcess):
        writer.end()


@pytest.mark.parametrize("kind", ["thread", "process"])
class TestWriter:
    """What holds for the writer's thread, and for the process that it runs in."""

    def test_what_has_ended_is_written_and_what_has_not_is_marked_killed(self, sweep, kind):
        writer = getattr(sweep, kind)()
        writer.start()
        writer.wait_until_ready()
        first, second, third = sweep.trials
        save(sweep.store, first)
        save(sweep.store, second, whole=False)
        save(sweep.store, third)
        # The first twice, the third not at all: it is found at the end.
        writer.update([first, second])
        writer.update([first])
        assert writer.finish([first, third], patience_s=60) == 0
        writer.close_sweep("KILLED", {"a.txt": "text"}, {"qhn.trials": "3"})
        end(writer)
        assert sweep.states() == ["FINISHED", "FINISHED", "KILLED"]
        (parent,) = sweep.runs("sweep")
        assert (parent.info.status, parent.data.tags["qhn.trials"]) == ("KILLED", "3")

    def test_a_database_that_is_none_is_said_in_the_same_words(self, sweep, kind, tmp_path):
        path = tmp_path / "none.db"
        path.write_text("no database")
        writer = getattr(sweep, kind)(TrackingLocation(f"sqlite:///{path}", path))
        writer.start()
        with pytest.raises(TrackingError, match=f"{path} is damaged, half-made or no database"):
            writer.wait_until_ready()
        end(writer)


def test_a_password_stands_in_no_argument(sweep, ended):
    writer = sweep.process(TrackingLocation("http://me:secret@127.0.0.1:9"))
    ended(writer)
    writer.start()
    process = psutil.Process(writer.process_id)
    assert not any("secret" in part for part in process.cmdline())
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 must answer") as refused:
        writer.wait_until_ready()
    assert "secret" not in str(refused.value)
    # It has failed by itself: there is nothing to abandon.
    writer.abandon("FAILED")


def test_a_writer_that_is_killed_is_started_again_and_loses_nothing(sweep, ended, caplog):
    writer = sweep.process()
    ended(writer)
    writer.start()
    writer.wait_until_ready()
    for trial in sweep.trials:
        save(sweep.store, trial)
    writer.update(sweep.trials)
    os.kill(writer.process_id, signal.SIGKILL)
    assert writer.finish(sweep.trials, patience_s=60) == 0
    writer.close_sweep("FINISHED", {}, {})
    assert sweep.states() == ["FINISHED"] * 3
    assert "has ended (exit code -9)" in caplog.text


def test_a_writer_that_dies_again_leaves_runs_to_the_next_sweep(sweep, ended, caplog):
    writer = sweep.process()
    ended(writer)
    writer.start()
    for _ in range(2):
        number = writer.process_id
        os.kill(number, signal.SIGKILL)
        deadline = time.monotonic() + _LIMIT_S
        while writer.process_id == number:  # until the thread that minds it has noticed
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with pytest.raises(TrackingError, match="has ended 2 times, now with exit code -9"):
        writer.wait_until_ready()
    writer.update(sweep.trials)
    assert writer.finish(sweep.trials, patience_s=0) == 3
    with pytest.raises(TrackingError, match="the store has every result"):
        writer.close_sweep("FINISHED", {}, {})


KILLED_DRIVER = """
import os, sys
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import Knowledge, WriterProcess, tracking_location
store, text = open_store(sys.argv[1]), sys.argv[2]
writer = WriterProcess(tracking_location(store), store, text, Knowledge({}, {}))
writer.start()
writer.wait_until_ready()
print(writer.process_id, flush=True)
sys.stdin.read()
os._exit(9)
"""


def test_the_writer_of_a_killed_driver_closes_its_runs_and_ends(sweep, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = [sys.executable, "-c", KILLED_DRIVER, sweep.store.uri, sweep.text]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as driver:
        writer = psutil.Process(int(driver.stdout.readline()))
        # Ctrl-C at a terminal goes to all processes of its session.
        assert os.getsid(writer.pid) != os.getsid(driver.pid)
        assert sweep.states("sweep") == ["RUNNING"]
        # As long as it lives, no other one writes this sweep.
        lock = sweep.store.sweep(sweep.name).tracking_lock
        assert not lock.acquire(0.0)
        driver.stdin.close()
        # What it says goes where the driver's own output goes, which is the run's log.
        assert "the driver has ended without a word" in driver.stderr.read()
    writer.wait(_LIMIT_S)
    assert sweep.states("sweep") == ["KILLED"]
    assert lock.acquire(0.0)
    lock.release()


INSIDE = """
import sys
from pathlib import Path
from sqlalchemy import create_engine, text
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, read_record
from qhn.sweeps.tracking import TrackingLocation, tracking_location
import qhn.sweeps.tracking.process
from qhn.sweeps.tracking.opening import open_runs

store, plan = open_store(sys.argv[1]), make_plan(parse_spec(sys.argv[2]))
own = tracking_location(store)
runs = open_runs(own, plan, lambda trial: read_record(store, trial.trial_id))
runs.project(plan.trials[0], read_record(store, plan.trials[0].trial_id))
print(sorted({"ray", "numba", "sklearn"} & sys.modules.keys()))

def synchronous(uri):
    with create_engine(uri).connect() as connection:
        return connection.execute(text("PRAGMA synchronous")).scalar()

print(synchronous(own.uri), synchronous(f"sqlite:///{sys.argv[3]}"))
"""


def test_the_writer_needs_no_ray_and_waits_for_the_disk_in_other_databases(
    sweep, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    save(sweep.store, sweep.trials[0])
    other = tmp_path / "mlflow.db"
    command = [sys.executable, "-c", INSIDE, sweep.store.uri, sweep.text, str(other)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    assert found.stdout.splitlines()[-2:] == ["[]", "0 2"]


def test_a_database_that_somebody_named_is_written_with_its_own_settings(place):
    store, location = place
    assert location.ours
    assert not tracking_location(store, location.uri).ours


def test_the_process_runs_the_same_qhn_as_the_program(tmp_path, monkeypatch):
    """As in a notebook that has put a checkout into its `sys.path`."""
    package = tmp_path / "qhn" / "__init__.py"
    package.parent.mkdir()
    package.touch()
    says = "import json, qhn; print(json.dumps(qhn.__file__))"
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-P", "-c", says))
    # PYTHONPATH has another one, as the installation may.
    monkeypatch.setenv("PYTHONPATH", str(Path(qhn.__file__).parents[1]))
    monkeypatch.setattr(
        child, "__file__", str(tmp_path / "qhn" / "sweeps" / "tracking" / "child.py")
    )
    said, ended = [], threading.Event()
    child.Child(said.append, lambda process, code: ended.set())
    assert ended.wait(_LIMIT_S)
    assert said == [str(package)]
