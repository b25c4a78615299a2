"""How the process that writes to MLflow ends, with stand-ins for MLflow, driver or process."""

import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from qhn.core.errors import TrackingError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import Knowledge, WriterProcess, child, process, tracking_location
from qhn.sweeps.tracking.limits import ENDING_S, LAST_WORDS_S
from qhn.sweeps.tracking.protocol import encode

TEXT = "{name: ends, datasets: [moons], objectives: [mle], seeds: 3}"
_LIMIT_S = 90


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


@pytest.fixture
def stand_in(store, monkeypatch):
    """Starts a writer whose process runs some other code; it is ended with the test."""
    writers = []

    def start(code):
        monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-c", f"import signal; {code}"))
        writer = WriterProcess(tracking_location(store), store, TEXT, Knowledge({}, {}))
        writers.append(writer)
        writer.start()
        return writer

    yield start
    for writer in writers:
        writer.end()


class Stubborn:
    """Stands for the thread that writes: a first close goes on until it is stopped."""

    def __init__(self, *arguments, **options):
        self.began, self.closed = threading.Event(), []

    start = wait_until_ready = drop = lambda self: None

    def close(self, patience_s):
        return 0

    def close_sweep(self, status, artifacts, tags, note, stopped, patience_s):
        self.began.set()
        deadline = time.monotonic() + _LIMIT_S
        while status == "FINISHED" and time.monotonic() < deadline:
            if stopped():
                raise TrackingError("stopped")
        assert not stopped()
        self.closed.append(status)


@pytest.fixture
def server(store, monkeypatch):
    """The writer's side of the pipe in this process, with a `Stubborn` writer; what it said."""
    limits, said = [], []
    monkeypatch.setattr(process, "TrackingWriter", Stubborn)
    monkeypatch.setattr(process, "settle", lambda: None)
    monkeypatch.setattr(process, "_end_within", limits.append)
    driver = SimpleNamespace(send=said.append, tell_waiting=None)
    plan = make_plan(parse_spec(TEXT))
    lock = store.sweep(plan.name).tracking_lock
    nothing = dict.fromkeys(("check", "release"), lambda: None)
    sweep = SimpleNamespace(plan=plan, open_runs=None, read=None, lock=lock, **nothing)
    return process._Server(driver, sweep), limits, said


def close_call(number, status):
    arguments = {"status": status, "artifacts": {}, "tags": {}}
    return encode({"call": number, "name": "close_sweep", "arguments": arguments})


def test_a_drop_stops_the_close_that_is_under_way_and_not_the_one_after_it(server):
    serving, limits, said = server

    def driver():
        yield close_call(1, "FINISHED")
        assert serving._writer.began.wait(_LIMIT_S)
        yield encode({"drop": True})
        yield close_call(2, "KILLED")
        yield encode({"end": True})

    serving.listen(driver())
    assert serving._writer.closed == ["KILLED"]
    assert [("error" in m, m["answer"]) for m in said if "answer" in m] == [(True, 1), (False, 2)]
    assert limits == [ENDING_S]


def test_a_driver_that_dies_while_it_closes_leaves_a_sweep_that_is_killed(server):
    serving, limits, _ = server

    def driver():
        yield close_call(1, "FINISHED")
        assert serving._writer.began.wait(_LIMIT_S)

    serving.listen(driver())
    assert serving._writer.closed == ["KILLED"]
    assert limits == [LAST_WORDS_S]


HANGS = """
import threading
from qhn.sweeps.tracking import process
process.{limit} = 0.05
process.open_runs = lambda *arguments: threading.Event().wait()
process.main()
"""


@pytest.mark.parametrize(("limit", "last"), [("ENDING_S", {"end": True}), ("LAST_WORDS_S", {})])
def test_a_writer_that_hangs_does_not_outlive_its_driver(store, limit, last):
    begin = {"store": store.uri, "uri": "", "database": None, "ours": False}
    begin |= {"sweep": TEXT, "known": {}}
    messages = encode({"begin": begin}) + encode(last)
    command = [sys.executable, "-c", HANGS.format(limit=limit)]
    ended = subprocess.run(command, input=messages, capture_output=True, timeout=_LIMIT_S)
    assert ended.returncode == 1, ended.stderr


def test_an_interrupted_wait_for_the_end_kills_the_process(stand_in, monkeypatch):
    writer = stand_in("signal.pause()")
    running = psutil.Process(writer.process_id)
    wait, interrupts = subprocess.Popen.wait, [KeyboardInterrupt]

    def interrupted(popen, timeout=None):
        # The thread that receives messages waits without a limit.
        if timeout is not None and interrupts:
            raise interrupts.pop()
        return wait(popen, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.end()
    running.wait(_LIMIT_S)


@pytest.mark.parametrize("line", ['{"rea', "3", '{"failed": {}}'])
def test_a_line_that_is_no_message_counts_as_the_end_of_the_process(stand_in, caplog, line):
    writer = stand_in(f"print({line!r}, flush=True); signal.pause()")
    with pytest.raises(TrackingError, match="has ended 2 times, now with exit code -9"):
        writer.wait_until_ready()
    assert "sent a line that is no message" in caplog.text


@pytest.mark.parametrize("name", ["qhn-to-writer", "qhn-writer"])
def test_a_writer_whose_threads_cannot_be_started_is_a_failure(stand_in, monkeypatch, name):
    before = set(psutil.Process().children())
    writer = stand_in("signal.pause()")
    first, start = writer.process_id, threading.Thread.start

    def refuse(thread):
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(TrackingError, match="cannot be started: can't start new thread"):
        writer.wait_until_ready()
    assert writer.process_id is None
    # The process that nobody could talk to has been ended.
    assert set(psutil.Process().children()) <= before


def test_a_second_ctrl_c_after_the_process_has_died_is_a_ctrl_c(stand_in, monkeypatch):
    writer = stand_in("signal.pause()")

    def interrupted(*arguments):
        monkeypatch.setattr(child, "_COMMAND", ("/no/such/program",))
        os.kill(writer.process_id, signal.SIGKILL)
        with pytest.raises(TrackingError, match="cannot be started: No such file"):
            writer.wait_until_ready()
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "close_sweep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.abandon("KILLED")
