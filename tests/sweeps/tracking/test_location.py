from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import tracking_location


def test_option_before_environment_before_store(tmp_path, monkeypatch):
    store = open_store(str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    default = tracking_location(store)
    assert default.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert default.artifacts == tmp_path / "artifacts"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    assert tracking_location(store).uri == "http://somewhere:5000"
    assert tracking_location(store).artifacts is None
    assert tracking_location(store, "sqlite:////a/b.db").uri == "sqlite:////a/b.db"


def test_credentials_are_not_shown(tmp_path):
    location = tracking_location(open_store(str(tmp_path)), "https://me:secret@host:1/path")
    assert location.shown == "https://host:1/path"
