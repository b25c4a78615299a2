"""The cluster on this machine, as `cluster/local` starts it, and how its parts are killed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_LOCAL = Path(__file__).resolve().parents[2] / "cluster" / "local"
_PATIENCE_S = 180.0


class Topology:
    """The parts of a cluster: Ray's machines, MLflow, PostgreSQL and the object store.

    Args:
        folder: the folder for all that it keeps.
        lane: the name of the lane whose resource the gateway carries.
        live: how many trials of that lane it may hold.
    """

    def __init__(self, folder: Path, lane: str, live: int) -> None:
        self._folder = folder
        self._start = ["up", "--lanes", f"{lane}={live}"]

    def __enter__(self) -> Topology:
        try:
            self._call(*self._start)
        except BaseException:
            self._call("down")
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._call("down")

    def environment(self) -> dict[str, str]:
        """The environment of a client: this process's, and what `cluster/local env` exports."""
        told: dict[str, str] = json.loads(self._call("env", "--json"))
        # Logs of sweeps whose store is in S3 lie in the home folder.
        home = self._folder.with_name("home")
        home.mkdir(exist_ok=True)
        return {**os.environ, **told, "HOME": str(home)}

    def kill(self, part: str) -> None:
        """End all processes of a part with SIGKILL."""
        self._call("kill", part)

    def start(self, part: str) -> None:
        """Start a part again."""
        self._call("start", part)

    def processes(self) -> list[psutil.Process]:
        """The processes of all parts."""
        found: list[psutil.Process] = []
        for part in json.loads(self._call("status", "--json")).values():
            for pid in part["pids"]:
                with suppress(psutil.Error):
                    found.append(psutil.Process(pid))
        return found

    def actors(self, title: str) -> list[psutil.Process]:
        """Processes of Ray's actors whose title begins with ``ray::`` and this text."""
        return [process for process in self.processes() if _title(process, title)]

    def _call(self, *words: str) -> str:
        command = [str(_LOCAL), *words, "--dir", str(self._folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        if done.returncode:
            raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def _title(process: psutil.Process, title: str) -> bool:
    with suppress(psutil.Error, IndexError):
        return process.cmdline()[0].startswith(f"ray::{title}")
    return False


#: What kills something; it returns whether there was anything to kill.
Kill = Callable[[], bool]


def kill_one(processes: list[psutil.Process], choose: Callable[[int], Any]) -> bool:
    """Kill one of some processes with SIGKILL, and return whether there was one."""
    living = [process for process in processes if process.is_running()]
    if not living:
        return False
    with suppress(psutil.Error):
        living[int(choose(len(living)))].kill()
        return True
    return False
