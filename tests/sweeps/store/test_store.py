import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.errors import NotFoundError, StoreError
from qhn.sweeps.store import TrialError, TrialResult, open_store, results_digest
from qhn.sweeps.store.atomic import write_atomically

TRIAL = "0123456789abcdef"


def result(trial_id=TRIAL, **changes):
    fields = {
        "trial_id": trial_id,
        "status": "finished",
        "steps": 10,
        "metrics": {"nll": 0.25, "objective": 0.5},
        "flags": {"collapse-to-prior": 5},
        "top_strings": ({"bits": "01", "probability": 0.5},),
        "training_seconds": 1.5,
        "started_ms": 1,
        "finished_ms": 2,
    }
    return TrialResult(**(fields | changes))


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def test_result_survives_a_round_trip_with_nan_and_infinity(store):
    original = result(metrics={"nll": float("inf"), "objective": 0.1 + 0.2})
    store.save_result(original)
    assert store.result(TRIAL) == original
    other = result("f" * 16, metrics={"nll": float("nan")})
    store.save_result(other)
    assert np.isnan(store.result(other.trial_id).metrics["nll"])


def test_a_trial_without_a_result_has_none(store):
    assert store.result(TRIAL) is None
    assert store.error(TRIAL) is None
    assert store.checkpoint(TRIAL) is None
    with pytest.raises(NotFoundError, match="no trial"):
        store.config(TRIAL)


def test_checkpoint_round_trip_is_exact(store):
    state = {"a": np.array([0.1, np.nan]), "notes": np.frombuffer(b"{}", dtype=np.uint8)}
    store.save_checkpoint(TRIAL, state)
    loaded = store.checkpoint(TRIAL)
    assert {name: array.tobytes() for name, array in loaded.items()} == {
        name: array.tobytes() for name, array in state.items()
    }


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"not a checkpoint at all"])
def test_an_unreadable_checkpoint_is_set_aside(store, content):
    store.save_checkpoint(TRIAL, {"a": np.zeros(2)})
    path = store.root / TRIAL / "checkpoint.npz"
    path.write_bytes(content)
    assert store.checkpoint(TRIAL) is None
    assert not path.exists()
    assert (store.root / TRIAL / "checkpoint.unreadable").read_bytes() == content


def test_a_pickle_in_a_checkpoint_is_never_loaded(store):
    path = store.root / TRIAL / "checkpoint.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, a=np.array([{"an": "object"}], dtype=object))
    assert store.checkpoint(TRIAL) is None


def test_a_checkpoint_is_never_replaced_by_one_that_is_less_far(store):
    for step in (5, 9, 3, 9):
        store.save_checkpoint(TRIAL, {"step": np.array(step), "a": np.zeros(2)})
    assert store.checkpoint(TRIAL)["step"] == 9


def test_the_first_result_of_a_trial_stays(store):
    store.save_result(result(finished_ms=2))
    store.save_result(result(finished_ms=7))
    assert store.result(TRIAL).finished_ms == 2


@pytest.mark.parametrize("kind", [OSError(37, "No locks available"), OSError(28, "No space left")])
def test_a_lock_that_cannot_be_had_is_a_store_error(store, monkeypatch, kind):
    def refuse(file, how):
        raise kind

    monkeypatch.setattr("qhn.sweeps.store.lock.fcntl.flock", refuse)
    with pytest.raises(StoreError, match=f"locking .* failed: {kind.strerror}"):
        store.save_result(result())
    with pytest.raises(StoreError, match=kind.strerror), store.sweep("x").lock:
        pass


def test_an_error_that_is_no_text_is_still_an_error(store):
    store.save_error(TRIAL, TrialError("broken", "trace", 3))
    (store.root / TRIAL / "error.json").write_bytes(b"\xff\xfe")
    assert store.error(TRIAL).message == "the error's file is unreadable"


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_checkpoint_is_read_or_set_aside(tmp_path_factory, place, value):
    store = open_store(str(tmp_path_factory.mktemp("damaged")))
    store.save_checkpoint(TRIAL, {"step": np.array(1), "a": np.arange(40.0)})
    path = store.root / TRIAL / "checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    found = store.checkpoint(TRIAL)
    assert found is not None or not path.exists()


def test_a_result_ends_an_error_and_clears_leftovers(store):
    store.save_error(TRIAL, TrialError("broken", "trace", 3))
    dead = subprocess.Popen(["true"])
    dead.wait()
    leftover = store.root / TRIAL / f"checkpoint.npz.{socket.gethostname()}.{dead.pid}.tmp"
    leftover.write_bytes(b"half")
    assert store.failed([TRIAL]) == {TRIAL}
    store.save_result(result())
    assert store.failed([TRIAL]) == set()
    assert store.finished([TRIAL]) == {TRIAL}
    assert sorted(path.name for path in (store.root / TRIAL).iterdir()) == ["lock", "result.json"]


def test_a_failed_write_leaves_the_old_file(store, monkeypatch):
    store.save_error(TRIAL, TrialError("the first", "", 1))

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match="No space left on device"):
        store.save_error(TRIAL, TrialError("the second", "", 2))
    assert store.error(TRIAL).message == "the first"


def test_a_half_written_result_is_a_clear_error(store):
    store.save_result(result())
    (store.root / TRIAL / "result.json").write_text('{"trial_id": ')
    with pytest.raises(StoreError, match="JSON written by qhn"):
        store.result(TRIAL)


@pytest.mark.parametrize("name", ["../../etc/passwd", "ABC", "", "0123456789abcdeg"])
def test_only_trial_ids_become_paths(store, name):
    with pytest.raises(StoreError, match="16 hexadecimal digits"):
        store.result(name)


@pytest.mark.parametrize("uri", ["s3://bucket/store", "http://host/store", "http://[host"])
def test_other_addresses_are_refused(uri):
    with pytest.raises(StoreError, match="folder or a file:// address"):
        open_store(uri)


def test_a_file_address_names_a_folder(tmp_path):
    assert open_store(f"file://{tmp_path}/a%20b").root == tmp_path / "a b"
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        open_store(str(tmp_path / "file"))


def test_digest_depends_on_every_number_and_on_nothing_else():
    first, second = result(), result("f" * 16)
    digest = results_digest([first, second])
    assert digest == results_digest([second, first])
    assert digest == results_digest([result(training_seconds=9.0, finished_ms=7), second])
    nudged = result(metrics={"nll": np.nextafter(0.25, 1), "objective": 0.5})
    assert digest != results_digest([nudged, second])
    assert digest != results_digest([first])
    assert digest != results_digest([result(status="stopped"), second])


def test_unknown_sweep(store):
    with pytest.raises(NotFoundError, match="no sweep named 'x'"):
        store.sweep("x").read_file()


def test_the_sweep_lock_admits_one_process(store):
    folder = store.sweep("one")
    with folder.lock:
        code = (
            "import sys; from qhn.sweeps.store import open_store\n"
            "folder = open_store(sys.argv[1]).sweep('one')\n"
            "print(folder.lock.holder())\n"
            "folder.lock.__enter__()"
        )
        command = [sys.executable, "-c", code, str(store.root)]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert other.stdout.startswith(f"process {os.getpid()} on ")
        assert f"process {os.getpid()} on {socket.gethostname()} is running it" in other.stderr
    assert folder.lock.holder() is None
    with folder.lock:
        pass


def test_the_lock_dies_with_its_holder(store):
    code = (
        "import os, sys; from qhn.sweeps.store import open_store\n"
        "open_store(sys.argv[1]).sweep('one').lock.__enter__()\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    assert killed.returncode == -9
    folder = store.sweep("one")
    folder.save_progress([TRIAL])
    assert folder.running() == []
    with folder.lock:
        assert folder.running() == [TRIAL]


def test_writing_below_a_file_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        write_atomically(tmp_path / "file" / "below", b"x")


def test_leftovers_of_writers_that_live_or_are_elsewhere_stay(store):
    folder = store.root / TRIAL
    folder.mkdir(parents=True)
    others = [f"a.{socket.gethostname()}.{os.getpid()}.tmp", "a.another-host.1.tmp"]
    for name in others:
        (folder / name).write_bytes(b"half")
    store.save_result(result())
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*others, "lock", "result.json"]
    )


def test_looking_does_not_keep_a_driver_out(store):
    """`status` and `list` take the lock for a moment; a driver that starts then waits for it."""
    folder = store.sweep("one")
    folder.save_file("")
    code = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'a+')\n"
        "fcntl.flock(file, fcntl.LOCK_SH)\n"
        "print('looking', flush=True)\n"
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(folder.path / "lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as looking:
        assert looking.stdout.readline() == "looking\n"
        looking.stdin.write("\n")
        looking.stdin.flush()
        with folder.lock:
            assert folder.lock.holder().startswith(f"process {os.getpid()} ")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path):
    store = open_store(str(tmp_path))
    store.sweep("Moons-2").save_file("name: Moons-2")
    with pytest.raises(NotFoundError, match=r"\(did you mean 'Moons-2'\?\)"):
        store.sweep("moons2").read_file()
    with pytest.raises(NotFoundError) as found:
        store.sweep("ring").read_file()
    assert "did you mean" not in str(found.value)
