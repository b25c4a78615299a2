"""Processes that are machines of one Ray, each with a working directory and an environment."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil

from qhn.sweeps.driver.raylets import local_raylets

_LIMIT_S = 120
# What `cluster/head` and `cluster/worker` become. The path is not put into the environment, which
# Ray's processes inherit.
_RAY_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from topology import ray_start
ray_start.main()
"""
_CLUSTER = Path(__file__).parents[3] / "cluster"
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    # A machine that has to wait for this long has not been left.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "100",
}


class RayMachine:
    """A machine of a Ray: the command that has started it, and all below."""

    def __init__(self, command, log):
        self.command = command
        self._log = log

    @property
    def said(self):
        """What its command has printed."""
        return self._log.read_text()

    def processes(self, title=""):
        """The processes below its command whose title begins so."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.command.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if process.name().startswith(title):
                        found.append(process)
        return found

    def names(self):
        """How Ray calls its processes."""
        found = set()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                found.add(process.name().split(".")[0].strip())
        return found

    def lose(self):
        """Kill all of it, as a power cut would."""
        # Asked to end, Ray would first wait half a minute for its processes.
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.command.kill()
        self.command.wait(60)


class RayMachines:
    """Starts the machines of a Ray, and ends them."""

    def __init__(self, folder):
        self.address = self.job_server = None
        self._folder = folder
        # Ray's sockets need a short path.
        self._temporary = f"/tmp/qhn-machines-{os.getpid()}"
        self._machines = []
        self._numbers = count()

    def head(self, cwd, *options):
        head = ["--head", "--port=0", f"--temp-dir={self._temporary}"]
        self._start(cwd, {}, *head, *options)
        self.address = self._raylets()[0].address

    def join(self, cwd, *options, environment=None):
        return self._start(cwd, environment or {}, f"--address={self.address}", *options)

    @property
    def first(self):
        """The head."""
        return self._machines[0]

    def with_process(self, title):
        """A machine that has a process whose title begins so, and that process; None if none is."""
        for machine in self._machines:
            for process in machine.processes(title):
                return machine, process
        return None

    def leave_head(self):
        """Lose all machines but the head."""
        while len(self._machines) > 1:
            self._machines.pop().lose()

    def last_names(self):
        """How Ray calls the processes of the machine that has joined last."""
        return self._machines[-1].names()

    def end(self):
        for machine in self._machines:
            machine.lose()
        subprocess.run(["rm", "-rf", self._temporary], check=True)

    def _raylets(self):
        return [found for found in local_raylets() if found.folder.startswith(self._temporary)]

    def _start(self, cwd, environment, *options):
        said = self._folder / f"machine-{next(self._numbers)}.log"
        with said.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RAY_START, _CLUSTER, "start", "--block", *options],
                cwd=cwd,
                env=os.environ | _SETTINGS | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        machine = RayMachine(process, said)
        self._machines.append(machine)
        deadline = time.monotonic() + _LIMIT_S
        while "--block" not in machine.said or not machine.processes("raylet"):
            assert process.poll() is None and time.monotonic() < deadline, machine.said
            time.sleep(0.05)
        return machine
