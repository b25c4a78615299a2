import pytest
from tracked_examples import open_runs

from qhn.core.errors import TrackingError
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
    assert tracking_location(store, "sqlite:////a/b.db?timeout=9").uri.endswith("b.db?timeout=9")


def test_credentials_are_not_shown(tmp_path):
    location = tracking_location(open_store(str(tmp_path)), "https://me:secret@host:1/path")
    assert location.shown == "https://host:1/path"
    said = "API request to https://me:secret@host:1/path/api failed: me:secret@host"
    assert location.without_credentials(said) == (
        "API request to https://host:1/path/api failed: host"
    )


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite://", "a database must be a file"),
        ("sqlite:///", "a database must be a file"),
        ("sqlite:///:memory:", "a database must be a file"),
        ("sqlite://host/x.db", "a database must be a file"),
        ("http://[me:secret@bad", "the tracking URI must be an address"),
        # With a wide slash, Python's own error quotes the address.
        ("http://me:secret\uff0f@host", "the tracking URI must be an address"),
    ],
)
def test_what_keeps_nothing_is_refused(tmp_path, uri, message):
    with pytest.raises(TrackingError, match=message) as found:
        tracking_location(open_store(str(tmp_path)), uri)
    assert "secret" not in str(found.value)


def test_a_relative_path_needs_a_working_directory(tmp_path, monkeypatch):
    place = tmp_path / "gone"
    place.mkdir()
    store = open_store(str(tmp_path))
    monkeypatch.chdir(place)
    assert tracking_location(store, "sqlite:///x.db").database == place / "x.db"
    place.rmdir()
    with pytest.raises(TrackingError, match="relative path needs a working directory"):
        tracking_location(store, "sqlite:///x.db")
    assert tracking_location(store, "sqlite:////a/x.db").uri == "sqlite:////a/x.db"


@pytest.mark.parametrize("name", ["50%", "a?b"])
def test_paths_that_mlflow_reads_in_two_ways_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = open_store(str(tmp_path / name))
    with pytest.raises(TrackingError, match="must be without % and"):
        tracking_location(store)
    assert tracking_location(store, "http://somewhere:5000").uri == "http://somewhere:5000"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_other_odd_letters_in_the_store_s_path_stay_in_it(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / "a b#c [d] é"
    root.mkdir()
    store = open_store(str(root))
    location = tracking_location(store)
    open_runs(location, "odd").close("FINISHED", {"a.txt": "text"}, {})
    assert (root / "mlflow.db").stat().st_size > 0
    assert list(tmp_path.iterdir()) == [root]
    assert list((root / "artifacts").rglob("a.txt"))
    assert tracking_location(store, location.uri) == location
