"""Processes that are machines of one Ray, each with a working directory and an environment."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count

import psutil

from qhn.sweeps.driver.raylets import local_raylets

_LIMIT_S = 120
# Ray listens on the loopback interface alone if it believes that it runs on macOS. Its command then
# refuses to add machines. So the command, and nothing else, is told that this one may.
_RAY = """
import sys, types
from ray.scripts import scripts
sys.argv[0] = "ray"
found = vars(scripts.ray_constants) | {"ENABLE_RAY_CLUSTER": True}
scripts.ray_constants = types.SimpleNamespace(**found)
scripts.main()
"""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}


class RayMachines:
    """Starts the machines of a Ray, and ends them."""

    def __init__(self, folder):
        self.address = self.job_server = None
        self._folder = folder
        # Ray's sockets need a short path.
        self._temporary = f"/tmp/qhn-machines-{os.getpid()}"
        self._processes = []
        self._numbers = count()

    def head(self, cwd, *options):
        head = ["--head", "--port=0", f"--temp-dir={self._temporary}"]
        self._start(cwd, {}, *head, *options)
        self.address = self._raylets()[0].address

    def join(self, cwd, *options, environment=None):
        self._start(cwd, environment or {}, f"--address={self.address}", *options)

    def lose_last(self):
        """Kill the processes of the machine that has joined last, as a power cut would."""
        _kill(self._processes.pop())

    def last_names(self):
        """How Ray calls the processes of the machine that has joined last."""
        names = set()
        for child in psutil.Process(self._processes[-1].pid).children(recursive=True):
            with suppress(psutil.Error):
                names.add(" ".join(child.cmdline()).split(".")[0].strip())
        return names

    def end(self):
        for process in self._processes:
            _kill(process)
        subprocess.run(["rm", "-rf", self._temporary], check=True)

    def _raylets(self):
        return [found for found in local_raylets() if found.folder.startswith(self._temporary)]

    def _start(self, cwd, environment, *options):
        there = len(self._raylets())
        said = self._folder / f"machine-{next(self._numbers)}.log"
        with said.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RAY, "start", "--block", *options],
                cwd=cwd,
                env=os.environ | _SETTINGS | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        deadline = time.monotonic() + _LIMIT_S
        while len(self._raylets()) == there or "--block" not in said.read_text():
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)


def _kill(process):
    # Asked to end, Ray would first wait half a minute for its processes.
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait(60)
