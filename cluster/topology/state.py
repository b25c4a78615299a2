"""What is written down about a cluster: how it is made, its ports, and its processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from topology.errors import TopologyError
from topology.keys import write_private
from topology.options import Options
from topology.processes import Leader

#: A file that shows whose folder it is, and by which commands wait for each other.
LOCK = "lock"
_FILE = "state.json"
_VERSION = 1
_LOCK_S = 300


@dataclass
class State:
    """What is known of a cluster.

    Attributes:
        options: how it is made.
        ports: for each part the names and numbers of its ports.
        leaders: for each part that was started, its first process.
        paused: the parts that were paused.
        healthy: whether all parts were healthy at once.
    """

    options: Options
    ports: dict[str, dict[str, int]] = field(default_factory=dict)
    leaders: dict[str, Leader] = field(default_factory=dict)
    paused: list[str] = field(default_factory=list)
    healthy: bool = False

    def save(self, folder: Path) -> None:
        """Write it down."""
        values = {
            "version": _VERSION,
            "options": self.options.to_dict(),
            "ports": self.ports,
            "leaders": {name: asdict(leader) for name, leader in self.leaders.items()},
            "paused": self.paused,
            "healthy": self.healthy,
        }
        write_private(folder / _FILE, json.dumps(values, indent=1))


def read_state(folder: Path) -> State | None:
    """What was written down; None if nothing was.

    Raises:
        TopologyError: if it cannot be used.
    """
    path = folder / _FILE
    try:
        values = json.loads(path.read_text())
        if values["version"] != _VERSION:
            raise ValueError(f"its version is {values['version']}")
        return State(
            Options(**values["options"]),
            values["ports"],
            {name: Leader(**leader) for name, leader in values["leaders"].items()},
            values["paused"],
            values["healthy"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TopologyError(
            f"{path} must be what cluster/local has written, but: {error}; end the cluster with "
            "cluster/local down"
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Change what is written down, while no other command does.

    Raises:
        TopologyError: if another command does not finish.
    """
    lock = FileLock(folder / LOCK, timeout=_LOCK_S)
    try:
        lock.acquire()
    except TimeoutError as error:
        raise TopologyError(
            f"another command must finish with the cluster in {folder} first, but it has not in "
            f"{_LOCK_S} s; try again"
        ) from error
    try:
        yield
    finally:
        lock.release()
