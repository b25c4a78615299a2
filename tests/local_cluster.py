"""A cluster on this machine for tests: `cluster/local`, called as a person calls it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

SCRIPT = Path(__file__).parent.parent / "cluster" / "local"
#: The name of the lane whose trials the gateway takes.
LANE = "qpu"
#: Secrets that the gateway must keep for itself, and that no part may get.
PLANTED = {"gateway": "planted-token-of-gateway", "terminal": "planted-token-of-terminal"}
_LIMIT_S = 400


class LocalCluster:
    """Calls ``cluster/local`` for one folder.

    Args:
        folder: the folder of the cluster, with a short path.
        terminal: variables of the terminal from which it is called, besides those of this process.
    """

    def __init__(self, folder: Path, terminal: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._terminal = terminal or {}

    def __call__(self, command: str, *options: object, code: int = 0) -> str:
        """Run a command to its end; what it printed."""
        done = subprocess.run(
            [SCRIPT, command, *map(str, options), "--dir", self.folder],
            env=os.environ | self._terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """What a client must export."""
        return json.loads(self("env", "--json"))

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that were made for this cluster."""
        keys = json.loads((self.folder / "keys.json").read_text())
        return {name: key for name, key in keys.items() if name != "s3_id"}

    def status(self) -> dict[str, Any]:
        """The parts with their states, processes and ports."""
        return json.loads(self("status", "--json"))

    def states(self) -> dict[str, str]:
        """The state of each part."""
        return {name: part["state"] for name, part in self.status().items()}

    def processes(self, *parts: str) -> list[psutil.Process]:
        """The processes of some parts, or of all, that live."""
        found = []
        for name, part in self.status().items():
            for pid in part["pids"] if not parts or name in parts else []:
                try:
                    found.append(psutil.Process(pid))
                except psutil.NoSuchProcess:
                    continue
        return found


def new_folder() -> Path:
    """An empty folder with a path that is short enough."""
    return Path(tempfile.mkdtemp(prefix="qhn-", dir="/tmp"))


def started(*options: object, terminal: dict[str, str] | None = None) -> Iterator[LocalCluster]:
    """Start a cluster, and end it when the test has ended."""
    cluster = LocalCluster(new_folder(), terminal)
    try:
        cluster("up", *options)
        yield cluster
    finally:
        cluster("down")
