"""What a person may choose about a cluster on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from topology.errors import TopologyError

_LANE = re.compile(r"[^\s=]+")
# The ports of a cluster are consecutive, and one with the most workers needs so many.
_PORTS = 400
_MOST_WORKERS = 50


@dataclass(frozen=True)
class Options:
    """How a cluster is made.

    Attributes:
        workers: how many workers it has at first, besides the gateway.
        cpus_per_worker: how many simulated trials run on each worker at once.
        lanes: for each lane the number of its trials that may live at once. The gateway alone
            carries these resources.
        port: the first of the ports that the cluster takes; None for any free ones.
        postgres: whether MLflow keeps its data in PostgreSQL, and not in a file.
        store: the folder of the store; None for the store in the S3 server.
        gateway_env: a file with the variables that only the gateway gets, such as a provider's
            token; None for no such variables.

    Raises:
        TopologyError: if a value is out of bounds.
    """

    workers: int = 1
    cpus_per_worker: int = field(default_factory=lambda: max(1, os.cpu_count() or 1))
    lanes: Mapping[str, int] = field(default_factory=dict)
    port: int | None = None
    postgres: bool = True
    store: str | None = None
    gateway_env: str | None = None

    def __post_init__(self) -> None:
        mistakes = [
            f"--workers must be from 0 to {_MOST_WORKERS}, but got {self.workers}"
            if not 0 <= self.workers <= _MOST_WORKERS
            else "",
            f"--cpus-per-worker must be at least 1, but got {self.cpus_per_worker}"
            if self.cpus_per_worker < 1
            else "",
            f"--port must be from 1024 to {65535 - _PORTS}, but got {self.port}"
            if self.port is not None and not 1024 <= self.port <= 65535 - _PORTS
            else "",
            *(
                f"--lanes must be NAME=N with N at least 1, but got {name}={slots}"
                for name, slots in self.lanes.items()
                if slots < 1 or _LANE.fullmatch(name) is None
            ),
        ]
        if any(mistakes):
            raise TopologyError("\n".join(filter(None, mistakes)))

    def to_dict(self) -> dict[str, Any]:
        """The options as values that JSON can hold."""
        return asdict(self)


def lane(text: str) -> tuple[str, int]:
    """Read ``NAME=N``.

    Raises:
        TopologyError: if it is something else.
    """
    name, _, slots = text.partition("=")
    if not (name and slots.isdecimal()):
        raise TopologyError(f"--lanes must be NAME=N, for example qpu=2, but got {text}")
    return name, int(slots)


def variables(file: Path) -> dict[str, str]:
    """Read a file with a line ``NAME=VALUE`` for each variable; lines with # are comments.

    Raises:
        TopologyError: if it cannot be read, others may read it, or a line is something else.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise TopologyError(f"{file} has secrets that others can read; call chmod 600 {file}")
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError(f"the file of --gateway-env must be readable, but: {error}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.partition("=")
            if not equals or not name.strip().isidentifier():
                # The line is not shown, because it may contain a secret.
                raise TopologyError(f"{file}, line {number}, must be NAME=VALUE or a comment")
            found[name.strip()] = value
    return found
