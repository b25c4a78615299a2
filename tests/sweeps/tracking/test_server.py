"""A tracking server that goes away and comes back while trials are written to it."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from mlflow.tracking import MlflowClient

from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store, read_record
from qhn.sweeps.tracking import SweepRuns, TrackingLocation, TrackingWriter

SPEC = "{name: served, datasets: [moons], objectives: [mle], seeds: 4}"
PLAN = make_plan(parse_spec(SPEC, "test"))
TRIALS = PLAN.trials
_LIMIT_S = 90

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Server:
    """``mlflow server`` on loopback; its processes form a group that ends together."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        places = ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        places += ["--artifacts-destination", str(self.folder / "artifacts")]
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *places, *where],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
        deadline = time.monotonic() + _LIMIT_S
        while True:
            try:
                if requests.get(f"{self.uri}/health", timeout=5).ok:
                    return
            except requests.RequestException:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def finish(store, trial):
    """Put the end of a trial into the store, as its actor does."""
    rows = History()
    for step in (0, 10):
        rows.append(step, 1000 + step, dict.fromkeys(BY_NAME, 0.5))
    store.save_checkpoint(trial.trial_id, {"history": rows.to_array()})
    result = TrialResult(
        trial.trial_id, "finished", 10, dict.fromkeys(BY_NAME, 0.5), {}, (), 1.0, 1000, 2000
    )
    store.save_result(result)


def test_an_outage_loses_nothing_and_doubles_nothing(server, tmp_path):
    store = open_store(str(tmp_path / "store"))
    location = TrackingLocation(server.uri)

    def read(trial):
        return read_record(store, trial.trial_id)

    writer = TrackingWriter(lambda: SweepRuns(location, PLAN, read), read, first_wait_s=0.1)
    writer.start()
    runs = writer.wait_until_ready()
    finish(store, TRIALS[0])
    writer.update([TRIALS[0]])
    deadline = time.monotonic() + _LIMIT_S
    while runs.unfinished({TRIALS[0].trial_id}):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.stop()
    for trial in TRIALS:
        finish(store, trial)
    writer.update(TRIALS)
    assert writer.waiting > 0
    server.start()
    assert writer.close(patience_s=_LIMIT_S) == 0
    again = SweepRuns(location, PLAN, read)
    client = MlflowClient(tracking_uri=server.uri)
    assert again.unfinished({trial.trial_id for trial in TRIALS}) == set()
    found = client.search_runs([again.experiment_id], "tags.`qhn.kind` = 'trial'")
    assert sorted(run.data.tags["qhn.trial_id"] for run in found) == sorted(
        trial.trial_id for trial in TRIALS
    )
    for run in found:
        points = client.get_metric_history(run.info.run_id, "nll")
        assert [point.step for point in points] == [0, 10]
    (artifact,) = client.list_artifacts(found[0].info.run_id)
    assert artifact.path == "posterior.csv"
