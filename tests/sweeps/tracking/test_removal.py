"""Taking a sweep out of MLflow, on a real SQLite database."""

import pytest

from qhn.core.errors import TrackingError
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialRecord, open_store
from qhn.sweeps.tracking import SweepRuns, TrackingLocation, tracking_location
from qhn.sweeps.tracking import removal as module
from qhn.sweeps.tracking.removal import remove_experiment

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    """One database for all tests of this module: making one takes seconds."""
    found = tracking_location(open_store(str(tmp_path_factory.mktemp("store"))), None)
    track(found, "neighbour")
    return found


def nothing(trial):
    return TrialRecord(History(), None, None)


def track(location, sweep):
    plan = make_plan(parse_spec(f"{{name: {sweep}, datasets: moons, objectives: mle, seeds: 1}}"))
    runs = SweepRuns(location, plan, nothing)
    runs.close("FINISHED", {"sweep.yaml": "name: x"}, {})
    return runs.experiment_id


def client(location):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=location.uri)


def stage(location, experiment_id):
    return client(location).get_experiment(experiment_id).lifecycle_stage


def test_the_experiment_goes_and_its_name_is_free(location):
    first = track(location, "gone")
    folder = location.artifacts / "gone"
    assert any(folder.rglob("sweep.yaml"))
    assert remove_experiment(location, "gone")
    assert not folder.exists()
    assert stage(location, first) == "deleted"
    assert client(location).get_experiment_by_name("gone") is None
    # A new sweep of that name, deleted as well: neither is in the way of the other.
    second = track(location, "gone")
    assert second != first
    assert remove_experiment(location, "gone")
    assert not remove_experiment(location, "gone")
    assert client(location).get_experiment_by_name("neighbour").lifecycle_stage == "active"
    assert any((location.artifacts / "neighbour").rglob("sweep.yaml"))


def test_what_was_deleted_in_the_browser_gives_its_name_back(location):
    experiment = track(location, "clicked")
    client(location).delete_experiment(experiment)
    assert remove_experiment(location, "clicked")
    assert stage(location, experiment) == "deleted"
    assert client(location).get_experiment_by_name("clicked") is None


@pytest.mark.parametrize("moment", ["deleting", "artifacts"])
def test_a_removal_that_was_killed_is_finished_by_the_next(location, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def kill(*args):
        raise Killed

    experiment = track(location, moment)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        place = "_renamed" if moment == "deleting" else "_remove_artifacts"
        patched.setattr(module, place, kill)
        remove_experiment(location, moment)
    assert (location.artifacts / moment).exists()
    remove_experiment(location, moment)
    assert stage(location, experiment) == "deleted"
    assert not (location.artifacts / moment).exists()


def test_an_experiment_that_only_looks_like_a_deleted_one_stays(location):
    other = client(location).create_experiment("like (deleted, 0)")
    similar = client(location).create_experiment("l_ke (deleted, 7)")
    track(location, "like")
    remove_experiment(location, "like")
    assert stage(location, other) == stage(location, similar) == "active"


def test_artifacts_elsewhere_stay(location, tmp_path):
    (tmp_path / "precious").write_text("of somebody else")
    client(location).create_experiment("elsewhere", artifact_location=tmp_path.as_uri())
    track(location, "linked")
    folder = location.artifacts / "linked"
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    for name in ("elsewhere", "linked"):
        assert remove_experiment(location, name)
    assert (tmp_path / "precious").exists()
    assert any((tmp_path / "moved").rglob("sweep.yaml"))


def test_where_there_is_no_database_none_is_made(tmp_path):
    database = tmp_path / "mlflow.db"
    assert not remove_experiment(TrackingLocation(f"sqlite:///{database}", database), "x")
    assert not database.exists()


def test_a_server_that_does_not_answer_is_one_message():
    with pytest.raises(TrackingError, match="must answer"):
        remove_experiment(TrackingLocation("http://127.0.0.1:1"), "x")
