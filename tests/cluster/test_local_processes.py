"""`cluster/local` ends the processes that are its own, and no others."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
from topology import processes
from topology.errors import TopologyError

# A process with a child in a session of its own, which nothing but the mark shows to belong to it.
PARENT = """
import subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(300)"]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def start(tmp_path):
    """Starts a part of a cluster."""
    parts = []

    def start(part="part", code="import time; time.sleep(300)"):
        parts.append(part)
        return processes.start(
            [sys.executable, "-c", code],
            folder=tmp_path,
            part=part,
            environment=dict(os.environ),
            log=tmp_path / f"{part}.log",
        )

    yield start
    processes.kill(tmp_path, None)


def until(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
    return found


def test_orphans_of_a_part_are_ended_with_it_and_other_parts_go_on(start, tmp_path):
    leader, other = start("one", PARENT), start("other")
    child = psutil.Process(int(until((tmp_path / "one.log").read_text)))
    os.kill(leader.pid, signal.SIGKILL)
    until(lambda: leader.process() is None)
    assert processes.members(tmp_path, "one", leader) == [child]
    assert processes.kill(tmp_path, "one", leader) == 1
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert processes.members(tmp_path, None) == [other.process()]


def test_a_process_that_got_the_id_of_another_one_is_spared(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        leader = processes.Leader(stranger.pid, processes.ticks(stranger.pid), time.time())
        assert leader.process() is not None
        # The part had started before, with the same id.
        former = replace(leader, started=leader.started - 1)
        assert former.process() is None
        assert processes.kill(tmp_path, "part", former) == 0
        processes.stop(tmp_path, "part", former, 1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_part_that_does_not_end_when_asked_is_ended(start, tmp_path):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    leader = start(code=f"{stubborn}; time.sleep(300)")
    until((tmp_path / "part.log").read_text)
    processes.stop(tmp_path, "part", leader, 0.2)
    assert processes.members(tmp_path, "part", leader) == []


def test_a_paused_part_goes_on(start, tmp_path):
    leader = start()
    processes.pause(tmp_path, "part", leader)
    until(lambda: leader.process().status() == psutil.STATUS_STOPPED)
    processes.unpause(tmp_path, "part", leader)
    until(lambda: leader.process().status() != psutil.STATUS_STOPPED)


def test_a_program_that_is_missing_is_named(tmp_path):
    with pytest.raises(TopologyError, match="part must start, but /no/program did not"):
        processes.start(
            ["/no/program"], folder=tmp_path, part="part", environment={}, log=tmp_path / "log"
        )
