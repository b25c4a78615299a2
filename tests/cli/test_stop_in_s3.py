"""Stopping a sweep whose store is in S3, where a small process stands in for its driver."""

import subprocess
import sys

import pytest

from qhn.sweeps.store import open_store

# What a driver does as far as the command can see: it holds the lease, and has its log open.
HOLDER = """
import sys, time
from qhn.sweeps.store import open_store
from qhn.sweeps.store.local import new_log
store = open_store(sys.argv[1])
try:
    with store.sweep("held").lock:
        with new_log(store, sys.argv[2]).open("w"):
            print("holding", flush=True)
            while True:
                time.sleep(0.05)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.fixture
def far(qhn, s3_server, s3_store, monkeypatch):
    """A command line on a store in S3. What lies on this machine is in a home of its own."""
    monkeypatch.setenv("HOME", str(qhn.folder))
    address = s3_store()
    qhn.store = open_store(address)
    qhn.environment |= s3_server.environment | {"QHN_STORE": address, "HOME": str(qhn.folder)}
    for name in ("held", "other"):
        text = f"{{name: {name}, datasets: moons, objectives: mle, seeds: 3}}"
        qhn.store.sweep(name).save_file(text)
    return qhn


@pytest.fixture
def hold(far):
    """Starts a process that holds the lease of a sweep, and has the log of a sweep open."""
    started = []

    def start(log):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, far.store.uri, log],
            stdout=subprocess.PIPE,
            text=True,
            env=far.environment,
            process_group=0,
        )
        started.append(process)
        assert process.stdout.readline() == "holding\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_process_that_holds_the_lease_is_stopped(far, hold):
    driver = hold("held")
    assert f"run by process {driver.pid}" in far("sweep", "status", "held")
    output = far("sweep", "stop", "held")
    assert driver.wait() == 0
    assert driver.stdout.read() == "stopped\n"
    assert "It has ended after 0:0" in output
    assert "Go on with: qhn sweep resume held" in " ".join(output.split())
    assert "not running" in far("sweep", "stop", "held")


def test_a_process_that_does_not_write_the_log_of_the_sweep_is_left_alone(far, hold):
    driver = hold("other")
    output = far("sweep", "stop", "held", code=2)
    assert "may be another program" in " ".join(output.split())
    assert driver.poll() is None
