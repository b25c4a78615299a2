"""What a machine says of itself, also if it is not as it should be."""

import shutil

import pytest

from qhn.sweeps.store import open_store
from qhn.sweeps.trial import probe as module
from qhn.sweeps.trial.probe import packages, probe
from qhn.version import VERSION


@pytest.fixture
def question(tmp_path):
    store = open_store(str(tmp_path / "store"))
    store.backend.put("doctor-1/driver", b"secret")
    return {
        "node": "n1",
        "store": store.uri,
        "folder": "doctor-1",
        "secret": "secret",
        "qhn": VERSION,
        "temporary": str(tmp_path),
    }


def test_a_machine_that_sees_the_drivers_content_writes_its_own(question, tmp_path):
    answer = probe(question)
    assert answer["store"]["state"] == "same" and answer["store"]["disk"]["free"] > 0
    assert (tmp_path / "store/doctor-1/n1").read_text() == "secret n1"
    assert answer["temporary"] == {
        "folder": str(tmp_path),
        "free": pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1),
        "why": "",
    }
    assert answer["begin"] <= answer["end"] and answer["memory"] > 0 and answer["cpus"] > 0


def test_a_machine_that_does_not_see_it_writes_nothing(question, tmp_path):
    elsewhere = open_store(str(tmp_path / "elsewhere")).uri
    assert probe({**question, "store": elsewhere})["store"]["state"] == "other"
    assert probe({**question, "secret": "another"})["store"]["state"] == "other"
    assert not (tmp_path / "elsewhere").exists()
    assert [path.name for path in (tmp_path / "store/doctor-1").iterdir()] == ["driver"]


def test_a_store_that_cannot_be_used_is_told_in_its_words(question, tmp_path):
    (tmp_path / "file").touch()
    seen = probe({**question, "store": (tmp_path / "file").as_uri()})["store"]
    assert seen["state"] == "failed" and "must be a folder, but" in seen["why"]


def test_a_store_that_hangs_does_not_hold_up_the_answer(question, monkeypatch):
    def hang(asked):
        asked["never"].wait(60)

    import threading

    never = threading.Event()
    monkeypatch.setattr(module, "STORE_PATIENCE_S", 0.05)
    monkeypatch.setattr(module, "_store", hang)
    assert probe({**question, "never": never})["store"]["state"] == "slow"
    never.set()


def test_another_qhn_is_not_asked_for_more(question):
    answer = probe({**question, "qhn": "0.0.9"})
    assert answer["store"]["state"] == "unknown" and answer["memory"] is None
    assert answer["versions"]["qhn"] == VERSION


def test_without_qhn_there_is_an_answer_that_says_why(question, monkeypatch):
    def fail(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(module, "import_module", fail)
    answer = probe(question)
    assert answer["trouble"] == "ModuleNotFoundError: No module named 'qhn.version'"
    assert answer["versions"]["qhn"] is None and answer["store"]["state"] == "unknown"


def test_a_full_disk_is_told(question, monkeypatch):
    def full(dir):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "TemporaryFile", full)
    assert probe(question)["temporary"]["why"] == "No space left on device"


def test_the_digest_is_that_of_the_source_code():
    versions, code, trouble = packages()
    assert (code, trouble) == (packages()[1], "") and len(code) == 16
    assert set(versions) == {"python", "ray", "numpy", "numba", "qhn"} and all(versions.values())
