"""What the store keeps about a sweep."""

import os
import socket
import subprocess
import sys

import pytest

from qhn.core.errors import InvalidValueError, NotFoundError, StoreError
from qhn.sweeps.store import open_store

RULE = {"kind": "asha", "metric": "nll", "grace_steps": 20, "reduction_factor": 2}


def test_a_sweep_that_was_never_run(store):
    sweep = store.sweep("x")
    assert not sweep.exists()
    assert sweep.running() == []
    assert sweep.lock.holder() is None
    assert sweep.stops(RULE) == {}
    with pytest.raises(NotFoundError, match="no sweep named 'x' is in the store"):
        sweep.read_file()
    assert store.sweeps() == []


def test_a_sweep_s_file_is_kept(store):
    for name in ("b", "a c", "ü.1"):
        store.sweep(name).save_file(f"name: {name}\n")
    assert [sweep.name for sweep in store.sweeps()] == ["a c", "b", "ü.1"]
    assert store.sweep("ü.1").read_file() == "name: ü.1\n"
    assert store.sweep("b").exists()
    assert store.sweep("b").shown_file == f"{store.shown}/sweeps/b/sweep.yaml"


def test_a_sweep_s_file_that_is_no_text_is_one_message(store):
    store.backend.put("sweeps/x/sweep.yaml", b"\xff\xfe")
    with pytest.raises(StoreError, match=r"sweeps/x/sweep\.yaml must be UTF-8 text"):
        store.sweep("x").read_file()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", "\udcff"])
def test_only_names_become_sweeps(store, name):
    with pytest.raises(NotFoundError, match="must have no path in it"):
        store.sweep(name)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(store):
    store.sweep("Moons-2").save_file("name: Moons-2")
    with pytest.raises(NotFoundError, match=r"\(did you mean 'Moons-2'\?\)"):
        store.sweep("moons2").read_file()
    with pytest.raises(NotFoundError) as found:
        store.sweep("ring").read_file()
    assert "did you mean" not in str(found.value)


def test_what_runs_counts_while_a_driver_lives(store, trial):
    sweep = store.sweep("one")
    sweep.save_progress([trial])
    assert sweep.running() == []
    with sweep.lock:
        assert store.sweep("one").running() == [trial]
        assert sweep.lock.holder() == f"process {os.getpid()} on {socket.gethostname()}"
        store.backend.put("sweeps/one/progress.json", b"3")
        assert sweep.running() == []
    assert sweep.lock.holder() is None


def test_the_claims_of_its_writers_are_remembered(store):
    sweep = store.sweep("one")
    assert sweep.claim_tokens() == []
    sweep.save_claim_tokens(["a", "b"])
    assert store.sweep("one").claim_tokens() == ["a", "b"]
    assert store.sweep("two").claim_tokens() == []
    sweep.save_claim_tokens([str(number) for number in range(60)])
    assert sweep.claim_tokens() == [str(number) for number in range(10, 60)]
    for damage in (b"", b"3", b"null"):
        store.backend.put("sweeps/one/claims.json", damage)
        assert sweep.claim_tokens() == []


def test_progress_never_waits_for_the_disk(folder, monkeypatch):
    sweep = open_store(str(folder)).sweep("one")

    def slow(descriptor):
        raise AssertionError("written durably")

    monkeypatch.setattr(os, "fsync", slow)
    sweep.save_progress(["a"])
    with sweep.lock:
        assert sweep.running() == ["a"]


def test_the_lock_admits_one_driver(folder):
    sweep = open_store(str(folder)).sweep("one")
    with sweep.lock:
        code = (
            "import sys; from qhn.sweeps.store import open_store\n"
            "sweep = open_store(sys.argv[1]).sweep('one')\n"
            "print(sweep.lock.holder())\n"
            "with sweep.lock: pass"
        )
        command = [sys.executable, "-c", code, str(folder)]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        assert other.stdout == f"{holder}\n"
        assert f"may run sweep 'one', but {holder} is running it; wait for it" in other.stderr
    with sweep.lock:
        pass


def test_the_lock_dies_with_its_holder(folder, trial):
    code = (
        "import os, sys; from qhn.sweeps.store import open_store\n"
        "with open_store(sys.argv[1]).sweep('one').lock:\n"
        "    os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -9
    sweep = open_store(str(folder)).sweep("one")
    sweep.save_progress([trial])
    assert sweep.running() == []
    with sweep.lock:
        assert sweep.running() == [trial]


def test_looking_does_not_keep_a_driver_out(folder):
    """`status` and `list` take the lock for a moment; a driver that starts then waits for it."""
    sweep = open_store(str(folder)).sweep("one")
    sweep.save_file("")
    code = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'a+')\n"
        "fcntl.flock(file, fcntl.LOCK_SH)\n"
        "print('looking', flush=True)\n"
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(folder / "sweeps" / "one" / "lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as looking:
        assert looking.stdout.readline() == "looking\n"
        looking.stdin.write("\n")
        looking.stdin.flush()
        with sweep.lock:
            assert sweep.lock.holder().startswith(f"process {os.getpid()} ")


def test_a_stop_belongs_to_its_sweep_and_its_rule(store, result, trial):
    stop = result(status="stopped", steps=4)
    store.sweep("one").save_stop(RULE, stop)
    assert store.sweep("one").stops(dict(reversed(RULE.items()))) == {trial: stop}
    assert store.sweep("one").stops({**RULE, "grace_steps": 30}) == {}
    assert store.sweep("two").stops(RULE) == {}
    assert store.result(trial) is None
    store.save_result(result())
    assert store.result(trial) == result()
    assert store.sweep("one").stops(RULE) == {trial: stop}


def test_only_stops_are_stops(store, result):
    with pytest.raises(InvalidValueError, match="must have the status 'stopped'"):
        store.sweep("one").save_stop(RULE, result())


def test_stops_that_cannot_be_read_hide_no_other(store, result, trial):
    sweep = store.sweep("one")
    stop = result(status="stopped")
    sweep.save_stop(RULE, stop)
    [key] = [key for key in store.backend.list() if "/stops/" in key]
    other = key.replace(trial, "e" * 16)
    store.backend.put(other, stop.to_json().encode())
    assert sweep.stops(RULE) == {trial: stop}
    [damage] = sweep.damaged_stops(RULE)
    assert (damage.key, "the result of another trial" in damage.why) == (other, True)
    assert store.set_aside(damage) == other.replace(".json", ".unreadable")
    assert sweep.damaged_stops(RULE) == []
    assert sweep.stops(RULE) == {trial: stop}
