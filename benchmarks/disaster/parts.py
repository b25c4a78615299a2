"""The cluster on this machine, as `cluster/local` starts it, and how its parts are killed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import psutil

_LOCAL = Path(__file__).resolve().parents[2] / "cluster" / "local"
_PATIENCE_S = 180.0
_REQUEST_S = 10.0


@contextmanager
def workplace(keep: Path | None = None) -> Iterator[Path]:
    """A folder for all files of a benchmark that starts a cluster.

    Args:
        keep: the folder, which is kept; None for one that is removed in the end.
    """
    with ExitStack() as stack:
        place = keep or Path(stack.enter_context(TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        # PostgreSQL refuses to run as root, and its own user has to reach its files in here.
        place.chmod(0o711)
        yield place


class Topology:
    """The parts of a cluster: Ray's machines, MLflow, PostgreSQL and the object store.

    Args:
        folder: the folder for all that it keeps.
        options: options of `cluster/local up`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._start = ["up", *options]

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

    def show_to_this_process(self) -> None:
        """Let this process look into the store and into MLflow as a client does."""
        told = self.environment()
        os.environ |= {n: v for n, v in told.items() if n.startswith(("AWS_", "MLFLOW_"))}

    def joined(self, node: str) -> float:
        """When the head of Ray has taken a node up, in seconds since 1970, by its own account."""
        told = self.environment()
        token = Path(told["RAY_AUTH_TOKEN_PATH"]).read_text().strip()
        url = f"{told['QHN_ADDRESS']}/nodes?view=summary"
        request = Request(url, headers={"Authorization": f"Bearer {token}"})
        # Requests to this machine go to no proxy, whatever the environment names.
        with build_opener(ProxyHandler({})).open(request, timeout=_REQUEST_S) as response:
            listed = json.load(response)["data"]["summary"]
        times = [found["raylet"]["startTimeMs"] for found in listed if _is_node(found, node)]
        return max(map(int, times)) / 1000

    def kill(self, part: str) -> None:
        """End all processes of a part with SIGKILL."""
        self._call("kill", part)

    def start(self, part: str) -> str:
        """Start a part again, or one more worker (``worker``); its name."""
        return self._call("start", part).partition(" ")[0]

    def first_process(self, part: str) -> psutil.Process:
        """The process from which all others of a part come."""
        return psutil.Process(self._status()[part]["pid"])

    def processes(self) -> list[psutil.Process]:
        """The processes of all parts."""
        found: list[psutil.Process] = []
        for part in self._status().values():
            for pid in part["pids"]:
                with suppress(psutil.Error):
                    found.append(psutil.Process(pid))
        return found

    def actors(self, title: str) -> list[psutil.Process]:
        """Processes of Ray's actors whose title begins with ``ray::`` and this text."""
        return [process for process in self.processes() if has_title(process, title)]

    def _status(self) -> dict[str, Any]:
        return dict(json.loads(self._call("status", "--json")))

    def _call(self, *words: str) -> str:
        command = [str(_LOCAL), *words, "--dir", str(self._folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        if done.returncode:
            raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def _is_node(listed: dict[str, Any], name: str) -> bool:
    return listed.get("raylet", {}).get("nodeName") == name


def has_title(process: psutil.Process, title: str) -> bool:
    """Whether the title that Ray gave a process begins with ``ray::`` and this text."""
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
