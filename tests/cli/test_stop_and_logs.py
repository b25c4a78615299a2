"""Stopping a sweep and reading its log, where a small process stands in for its driver."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from qhn.cli import logs
from qhn.version import VERSION

SWEEP = "{name: held, datasets: moons, objectives: mle, seeds: 3}"
# What a driver does as far as these commands can see: it holds the lock until Ctrl-C.
HOLDER = """
import signal, sys, time
from qhn.sweeps.store import open_store
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    with open_store(sys.argv[1]).sweep("held").lock:
        print("holding", flush=True)
        while True:  # a signal that came just before `signal.pause` would be lost
            time.sleep(0.05)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.fixture
def hold(qhn):
    """Starts a process that holds the sweep's lock."""
    started = []

    def start(ears="sharp"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(qhn.root), ears],
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # as a driver has one of its own
        )
        started.append(process)
        assert process.stdout.readline() == "holding\n"
        return process

    qhn.store.sweep("held").save_file(SWEEP)
    yield start
    for process in started:
        process.kill()
        process.communicate()


def lock_file(qhn):
    return qhn.root / "sweeps" / "held" / "lock"


def test_the_process_that_holds_the_lock_is_stopped(qhn, hold):
    driver = hold()
    output = qhn("sweep", "stop", "held")
    assert driver.wait() == 0
    assert driver.stdout.read() == "stopped\n"
    assert f"Sent a stop to process {driver.pid}, which runs held" in output
    assert "It has ended after 0:0" in output
    assert "None of the 3 trials is finished yet. Go on with: qhn sweep resume held" in output


@pytest.mark.parametrize("ears", ["sharp", "deaf"])
def test_a_sweep_can_be_killed(qhn, hold, ears):
    driver = hold(ears)
    output = qhn("sweep", "stop", "held", "--now")
    assert driver.wait() == -signal.SIGKILL
    assert f"Killed process {driver.pid}, which ran held" in output
    assert "It has ended after 0:0" in output and "qhn sweep resume held" in output


def test_a_job_names_the_command_of_who_has_submitted_it(qhn, hold):
    hold()
    qhn.environment["QHN_SUBMITTED_BY"] = VERSION
    output = qhn("sweep", "stop", "held")
    assert "Go on with: qhn sweep submit FILE" in output and "resume" not in output


def test_a_paused_sweep_is_stopped_too(qhn, hold):
    driver = hold()
    driver.send_signal(signal.SIGSTOP)
    os.waitpid(driver.pid, os.WUNTRACED)
    assert "It has ended" in qhn("sweep", "stop", "held")
    assert driver.stdout.read() == "stopped\n"


def test_it_waits_no_longer_than_it_is_told(qhn, hold):
    driver = hold("deaf")
    output = qhn("sweep", "stop", "held", "--timeout", 0.2, code=1)
    assert "It is still running after 0:00" in " ".join(output.split())
    assert driver.poll() is None


def test_a_sweep_that_does_not_run(qhn):
    qhn.store.sweep("held").save_file(SWEEP)
    assert "held is not running: nothing to stop. None of the 3" in qhn("sweep", "stop", "held")
    assert "no sweep named 'other'" in qhn("sweep", "stop", "other", code=2)


def test_the_status_says_who_runs_a_sweep(qhn, hold):
    assert "run by" not in qhn("sweep", "status", "held")
    driver = hold()
    assert f"It is run by process {driver.pid} on" in qhn("sweep", "status", "held")


def test_a_sweep_of_another_machine_is_stopped_there(qhn, hold):
    driver = hold()
    lock_file(qhn).write_text("process 123 on another-machine")
    output = qhn("sweep", "stop", "held", code=2)
    assert "runs on another-machine (process 123); run there: qhn sweep stop held" in output
    assert driver.poll() is None


def test_a_process_that_only_has_the_id_of_an_earlier_driver_is_left_alone(qhn, hold):
    driver = hold()
    with subprocess.Popen(["sleep", "600"]) as other:
        lock_file(qhn).write_text(f"process {other.pid} on {socket.gethostname()}")
        output = qhn("sweep", "stop", "held", code=2)
        assert f"but process {other.pid} may be another program" in output
        assert other.poll() is None and driver.poll() is None
        other.kill()


def test_a_process_that_is_younger_than_the_note_about_it_is_left_alone(qhn, hold):
    driver = hold()
    os.utime(lock_file(qhn), (10**9, 10**9))
    assert "may be another program; press Ctrl-C" in qhn("sweep", "stop", "held", code=2)
    assert driver.poll() is None


def test_a_lock_whose_holder_says_nothing(qhn, hold):
    driver = hold()
    lock_file(qhn).write_text("")
    assert "held by another process); press Ctrl-C" in qhn("sweep", "stop", "held", code=2)
    assert driver.poll() is None


@pytest.fixture
def log(qhn):
    """Writes the log of a run."""
    folder = qhn.root / "sweeps" / "held" / "logs"
    qhn.store.sweep("held").save_file(SWEEP)
    folder.mkdir()

    def write(text, at="20260101-000000", mode="w"):
        with (folder / f"{at}.log").open(mode, encoding="utf-8") as file:
            file.write(text)

    return write


def test_the_newest_log_is_printed_as_it_is(qhn, log):
    log("old\n")
    log("new λ\n[bold]no markup[/]\nunfinished", at="20260102-000000")
    assert qhn("sweep", "logs", "held") == "new λ\n[bold]no markup[/]\nunfinished"


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("lines", [0, 1, 3, 30_000, 50_000])
def test_the_last_lines(qhn, log, lines, end):
    # More than one piece of what is read at once.
    written = [f"line {number} λ" for number in range(30_000)]
    log("\n".join(written) + end)
    expected = "\n".join(written[-lines:]) + end if lines else ""
    assert qhn("sweep", "logs", "held", "--lines", lines) == expected


def test_a_sweep_without_a_log(qhn):
    qhn.store.sweep("held").save_file(SWEEP)
    assert "'held' has no log on this machine" in qhn("sweep", "logs", "held", code=2)
    assert "no sweep named 'other'" in qhn("sweep", "logs", "other", code=2)


def test_following_goes_on_into_a_later_log_and_ends_with_the_driver(qhn, log, hold):
    driver = hold()
    log("first\n")
    follower = qhn.start("sweep", "logs", "held", "--follow")
    assert follower.stdout.readline() == "first\n"
    log("second\n", mode="a")
    assert follower.stdout.readline() == "second\n"
    log("third\n", at="20260102-000000")
    assert follower.stdout.readline() == "third\n"
    driver.send_signal(signal.SIGINT)
    rest, _ = follower.communicate(timeout=60)
    assert rest == "held is not running any more.\n"
    assert follower.returncode == 0


def test_a_sweep_that_is_deleted_while_its_log_is_printed(qhn, log, monkeypatch):
    log("all of it\n")
    found = iter([logs.log_files(qhn.store, "held")])
    monkeypatch.setattr(logs, "log_files", lambda store, name: next(found, []))
    assert qhn("sweep", "logs", "held") == "all of it\n"


def test_a_reader_that_goes_away_is_no_traceback(qhn, log):
    log("a line\n" * 100_000)
    command = [sys.executable, "-m", "qhn.cli", "sweep", "logs", "held"]
    with subprocess.Popen(
        command, env=qhn.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as logs:
        assert logs.stdout.readline() == b"a line\n"
        logs.stdout.close()
        assert logs.stderr.read() == b""
    assert logs.returncode == 1
