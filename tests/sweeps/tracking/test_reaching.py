"""What is found out about a tracking store before a sweep needs it, and what that leaves behind."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from qhn.core.errors import TrackingError
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import TrackingLocation, tracking_location
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.reaching import CHECKED_TAG, reach

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
_EXPERIMENT = {"experiment_id": "7", "name": "mine", "lifecycle_stage": "active"}


class Answers(BaseHTTPRequestHandler):
    """A server of MLflow as far as it is asked: an experiment, and who may do what."""

    def do_GET(self):
        self._answer({"experiment": self.server.experiment})

    def do_POST(self):
        self._answer({"experiments": [self.server.experiment]})

    def _answer(self, content):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = urlsplit(self.path).path.rpartition("/")[2]
        code = self.server.refused.get(call, 200)
        self.server.calls.append(call)
        # The server with accounts answers in plain text if it refuses.
        text = (json.dumps(content) if code == 200 else "Permission denied").encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.experiment, running.refused, running.calls = dict(_EXPERIMENT), {}, []
        running.location = TrackingLocation(f"http://127.0.0.1:{running.server_address[1]}")
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_an_experiment_that_may_be_written_is_found_out_by_writing_a_tag(server):
    assert reach(server.location, "mine") == "it answers, and the experiment 'mine' may be written"
    assert server.calls[-1] == "set-experiment-tag"
    assert reach(server.location, None) == "it answers"
    assert server.calls[-1] == "search"


def test_refused_credentials_are_told_with_the_variables_that_hold_them(server):
    server.refused["search"] = 401
    with pytest.raises(TrackingError, match="set MLFLOW_TRACKING_USERNAME and"):
        reach(server.location, "mine")


def test_an_experiment_that_may_only_be_read_is_wrong(server):
    server.refused["set-experiment-tag"] = 403
    with pytest.raises(TrackingError, match=r"403 .*Permission denied.*ask whoever runs"):
        reach(server.location, "mine")


def test_a_deleted_experiment_is_wrong(server):
    server.experiment["lifecycle_stage"] = "deleted"
    with pytest.raises(TrackingError, match="mlflow experiments restore -x 7"):
        reach(server.location, "mine")
    assert "set-experiment-tag" not in server.calls


def test_a_server_that_is_not_there_is_wrong():
    with pytest.raises(TrackingError, match="must answer within 10 s, but got"):
        reach(TrackingLocation("http://127.0.0.1:1"), "mine")


def test_a_database_is_looked_at_and_never_made(tmp_path):
    location = tracking_location(open_store(str(tmp_path / "store")), None)
    assert reach(location, "mine") == "the first run will make it"
    assert list(tmp_path.iterdir()) == []
    client = connect(location)
    assert reach(location, "mine") == "it answers; the first run will make the experiment 'mine'"
    made = client.create_experiment("mine")
    assert reach(location, "mine").endswith("may be written")
    assert CHECKED_TAG in client.get_experiment(made).tags


def test_a_folder_in_which_no_database_can_be_made_is_wrong(tmp_path, monkeypatch):
    # Who runs tests as root may write everywhere.
    monkeypatch.setattr("qhn.sweeps.tracking.reaching.os.access", lambda *_: False)
    location = tracking_location(open_store(str(tmp_path / "store")), None)
    with pytest.raises(TrackingError, match=f"is to be made in {tmp_path}, which cannot"):
        reach(location, "mine")
