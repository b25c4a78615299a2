"""Stores at s3:// addresses: what they cost in requests, what fails, and processes that die."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from s3_server import BROKEN_OFF
from stored_examples import make_result

from qhn.core.errors import StoreError
from qhn.sweeps.store import TrialError, open_store
from qhn.sweeps.store.object_store import ObjectBackend
from qhn.sweeps.store.s3 import S3Objects, parse_address

_LIMIT_S = 60
_OFTEN = 15


@pytest.fixture
def store(s3_store):
    return open_store(s3_store())


@pytest.fixture
def asked(s3_server):
    """A function that gives the requests since it was called last, as method and path."""
    s3_server.requests.clear()

    def asked():
        found = list(s3_server.requests)
        s3_server.requests.clear()
        return found

    return asked


@pytest.fixture
def start(s3_store):
    """A function that starts Python code in another process, with a backend of a short term."""
    started = []

    def start(address, code, term_s=20.0):
        bucket, prefix = parse_address(address)
        head = (
            "import os, sys\n"
            "from qhn.core.errors import FencedError\n"
            "from qhn.sweeps.store.object_store import ObjectBackend\n"
            "from qhn.sweeps.store.s3 import S3Objects\n"
            f"backend = ObjectBackend(S3Objects({bucket!r}, {prefix!r}), 's3://x', {term_s})\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", head + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def trial_id(number):
    return f"{number:016x}"


class TestRequests:
    def test_what_is_not_there_is_not_asked_for(self, store, asked):
        ids = [trial_id(number) for number in range(1000)]
        for number in range(0, 1000, 100):
            store.save_result(make_result(ids[number]))
        other = open_store(store.uri)
        asked()
        assert len(other.outcomes(ids).results) == 10
        first = asked()
        assert len([r for r in first if "list-type=2" in r]) == 1
        assert len(first) <= 12, "one listing, ten results, and whether there are former ids"
        assert len(other.outcomes(ids).results) == 10
        assert len(asked()) == 1, "a listing tells that the results are still the same"
        store.backend.put(f"{ids[0]}/result.json", b"{")
        assert other.outcomes(ids).damaged.keys() == {ids[0]}
        other.clear_errors(ids)
        assert len(asked()) <= 6

    def test_more_than_a_page_is_listed_and_deleted(self, store):
        keys = [f"{number:04}" for number in range(1003)]
        bucket, prefix = parse_address(store.uri)
        for key in keys:  # as requests they would take seconds
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, prefix + key, b"")
        assert store.backend.list() == keys
        store.backend.put("x/y", b"")
        assert store.backend.folders() == ("x",)
        store.backend._objects.delete(keys)
        assert store.backend.list() == ["x/y"]

    def test_a_checkpoint_costs_one_request(self, store, asked):
        trial = trial_id(7)
        store.save_result(make_result(trial_id(1)))
        opened = open_store(store.uri)
        asked()
        opened.save_config(trial, "{}")
        assert opened.checkpoint(trial) is None
        assert len(asked()) <= 3
        for step in range(5):
            opened.save_checkpoint(trial, {"step": np.int64(step), "angles": np.zeros(100)})
        assert [request.split()[0] for request in asked()] == ["PUT"] * 5
        opened.save_result(make_result(trial))
        assert [request.split()[0] for request in asked()] == ["PUT", "POST"]
        again = open_store(store.uri)
        again.checkpoint(trial)
        asked()
        again.save_checkpoint(trial, {"step": np.int64(9), "angles": np.zeros(100)})
        assert [request.split()[0] for request in asked()] == ["PUT"]
        # What this process knew of the checkpoint is not true any more.
        opened.save_checkpoint(trial, {"step": np.int64(6), "angles": np.zeros(100)})
        assert [request.split()[0] for request in asked()] == ["PUT", "GET"]
        assert again.checkpoint(trial).step == 9

    def test_a_lock_costs_three_requests(self, store, asked):
        lock = store.backend.lock("a")
        assert lock.acquire()
        lock.release()
        asked()
        assert lock.acquire()
        lock.release()
        assert [request.split()[0] for request in asked()] == ["GET", "PUT", "PUT"]


class TestFailures:
    def test_what_passes_is_tried_again(self, store, s3_server, monkeypatch):
        pauses = []
        monkeypatch.setattr("botocore.endpoint.time.sleep", pauses.append)
        for status, code in [
            ("503 Slow Down", b"SlowDown"),
            ("500 Internal Server Error", b"InternalError"),
        ]:
            s3_server.failures.extend([(status, code)] * 4)
            store.backend.put("a/b", code)
            assert store.backend.get("a/b") == code
        assert len(pauses) == 8
        assert 0 < max(pauses) <= 8

    def test_an_answer_that_breaks_off_is_asked_for_again(self, store, s3_server):
        store.backend.put("a/b", b"whole")
        s3_server.failures.append(("200 OK", BROKEN_OFF))
        assert store.backend.get("a/b") == b"whole"

    def test_after_some_seconds_it_is_an_error(self, store, s3_server, monkeypatch):
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
        s3_server.failures.extend([("503 Slow Down", b"SlowDown")] * 5)
        with pytest.raises(StoreError, match="writable, but the server answers SlowDown"):
            store.backend.put("a/b", b"")

    def test_a_server_that_is_away_is_named(self, store, monkeypatch):
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://me:planted@127.0.0.1:9")
        with pytest.raises(StoreError, match=r"server at 127\.0\.0\.1:9 does not answer") as found:
            open_store(store.uri)
        assert "planted" not in str(found.value)

    def test_a_bucket_that_is_not_there_is_named(self, s3_store):
        s3_store()
        with pytest.raises(StoreError, match=r"'missing' .* no such bucket; make it"):
            open_store("s3://missing/x")

    def test_refused_credentials_are_named_and_not_shown(self, s3_store, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "refused")
        with pytest.raises(StoreError, match="refuses the credentials") as found:
            open_store(s3_store())
        assert "planted" not in str(found.value)

    def test_missing_credentials_are_named(self, s3_store, monkeypatch, tmp_path):
        address = s3_store()
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        with pytest.raises(StoreError, match=r"no credentials were found.*AWS_ACCESS_KEY_ID"):
            open_store(address)

    @pytest.mark.parametrize("endpoint", ["no address", "http://"])
    def test_an_endpoint_that_is_no_address_is_one_message(self, s3_store, monkeypatch, endpoint):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
        with pytest.raises(StoreError, match="must be readable"):
            open_store(s3_store())

    def test_a_server_without_conditional_writes_gives_no_lock(self, store, s3_server):
        s3_server.ignores_conditions = True
        try:
            with pytest.raises(StoreError, match="must support conditional writes"):
                store.backend.lock("a").acquire()
        finally:
            s3_server.ignores_conditions = False
        assert store.backend.folders() == ()

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("s3://", "s3://BUCKET/PREFIX"),
            ("s3:///x", "s3://BUCKET/PREFIX"),
            ("s3://b", "s3://BUCKET/PREFIX"),
            ("s3://bucket/x?versionId=1", "s3://BUCKET/PREFIX"),
            ("s3://bucket/a//b", "names with / between"),
            ("s3://bucket/../b", "names with / between"),
            ("s3://key:planted@bucket/x", "no credentials in it"),
            ("gs://key:planted@bucket/x", "file:// or s3:// address"),
            ("gs://key:planted@[bucket/x", "file:// or s3:// address"),
            # With a wide slash, Python's own error quotes the address.
            ("gs://key:planted\uff0f@bucket/x", "file:// or s3:// address"),
        ],
    )
    def test_what_is_no_address_is_refused_without_a_secret(self, address, message):
        with pytest.raises(StoreError, match=message) as found:
            open_store(address)
        assert "planted" not in str(found.value)

    def test_a_missing_package_is_named(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "qhn.sweeps.store.s3")
        monkeypatch.delitem(sys.modules, "qhn.sweeps.store.s3_errors")
        for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [_NoBotocore(), *sys.meta_path])
        with pytest.raises(StoreError, match=r"pip install 'qhn\[cluster\]'"):
            open_store("s3://bucket/x")


class _NoBotocore:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "botocore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_the_address_finds_the_same_store(s3_store):
    address = s3_store()
    store = open_store(f"{address}/")
    assert store.uri == store.shown == address
    store.save_error(trial_id(1), TrialError("no", "", 1))
    assert open_store(store.uri).error(trial_id(1)).message == "no"
    assert open_store("s3://bucket").trial_ids() == []


def test_a_copy_in_another_process_holds_no_lease(store):
    lock = store.backend.lock("a")
    assert lock.acquire(note="me")
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301 - as Tune does with what it is given
    assert copy.backend.lock("a").holder() == "me"
    assert copy.backend.lock("a").token is None
    lock.release()


def test_a_forked_process_has_connections_of_its_own(store):
    store.backend.put("a", b"1")
    process = os.fork()
    if not process:
        code = 1
        try:
            store.backend.put("a", b"2")
            code = 0 if store.backend.get_many(["a"]) == {"a": b"2"} else 2
        finally:
            os._exit(code)
    store.backend.put("b", b"1")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert store.backend.get("a") == b"2"


def test_a_lease_of_a_killed_process_is_free_at_once(store, start):
    holder = start(
        store.uri,
        "backend.lock('a').acquire(note=f'process {os.getpid()}')\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n",
    )
    assert holder.stdout.readline() == "held\n"
    lock = store.backend.lock("a")
    assert not lock.acquire(patience_s=0.05)
    assert lock.holder() == f"process {holder.pid}"
    holder.kill()
    holder.wait()
    assert lock.holder() is None
    assert lock.acquire(patience_s=0.0)
    assert lock.token == 2
    lock.release()


def test_processes_that_race_for_a_lease_hold_it_one_at_a_time(store, start):
    code = (
        "lock, tokens = backend.lock('a'), []\n"
        "sys.stdin.readline()\n"
        f"for _ in range({_OFTEN}):\n"
        "    lock.acquire()\n"
        "    tokens.append(lock.token)\n"
        "    backend.put('a/count', b'%d' % (int(backend.get('a/count') or b'0') + 1))\n"
        "    lock.release()\n"
        "print(*tokens)\n"
    )
    racers = [start(store.uri, code) for _ in range(2)]
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    tokens = [[int(t) for t in racer.communicate(timeout=_LIMIT_S)[0].split()] for racer in racers]
    assert store.backend.get("a/count") == b"%d" % (2 * _OFTEN)
    assert sorted(tokens[0] + tokens[1]) == list(range(1, 2 * _OFTEN + 1))


def test_a_paused_holder_may_not_write_afterwards(store, start):
    """It is renewed in the background until it is paused, for longer than its term."""
    holder = start(
        store.uri,
        "backend.lock('a').acquire(note='paused')\n"
        "for line in sys.stdin:\n"
        "    try:\n"
        "        backend.put('a/b', line.strip().encode())\n"
        "        print('written', flush=True)\n"
        "    except FencedError as error:\n"
        "        print(error, flush=True)\n",
        term_s=1.0,
    )

    def write(text):
        holder.stdin.write(f"{text}\n")
        holder.stdin.flush()
        return holder.stdout.readline()

    assert write("first") == "written\n"
    there = store.backend._objects.read("a/lock").tag
    deadline = time.monotonic() + _LIMIT_S
    while store.backend._objects.read("a/lock").tag == there:
        assert time.monotonic() < deadline, "it is not renewed"
    holder.send_signal(signal.SIGSTOP)
    bucket, prefix = parse_address(store.uri)
    other = ObjectBackend(S3Objects(bucket, prefix), store.uri, 20.0)
    assert other.lock("a").acquire(_LIMIT_S, "the next one")
    other.put("a/b", b"of the next one")
    holder.send_signal(signal.SIGCONT)
    assert "the next one has taken it over" in write("second")
    assert other.get("a/b") == b"of the next one"
    other.lock("a").release()
