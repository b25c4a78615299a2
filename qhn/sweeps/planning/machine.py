"""Memory that a machine has for a sweep, and sizes as people say them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

#: The system and the driver want some memory too.
_USABLE = 0.85
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_SHARED_MEMORY = Path("/dev/shm")
#: What Ray gives its object store where nobody says otherwise: a share of the memory, as far as
#: shared memory has room for nearly all of it.
_STORE_SHARE = 0.3
_SHARED_MEMORY_SHARE = 0.95


@dataclass(frozen=True)
class Machine:
    """What will run a sweep, as far as memory goes.

    Attributes:
        memory_bytes: memory for trials and the tables that they share, in bytes.
        object_store_bytes: how much of it Ray's object store may fill with tables; None for a
            plain process without one.
    """

    memory_bytes: int
    object_store_bytes: int | None = None


def this_machine() -> Machine:
    """This machine with a Ray of its own.

    Whoever starts that Ray should give it just this object store, since Ray itself looks at the
    memory that happens to be free at that moment.
    """
    memory = available_bytes()
    store = int(_STORE_SHARE * memory)
    with contextlib.suppress(OSError):  # only Linux has it
        shared = psutil.disk_usage(str(_SHARED_MEMORY)).total
        store = min(store, int(_SHARED_MEMORY_SHARE * shared))
    return Machine(memory, store)


def available_bytes() -> int:
    """Memory that trials may use: most of the machine's, or of the container's limit."""
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no such limit here
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return int(_USABLE * total)


def size_text(n_bytes: float) -> str:
    """A size as people say it, such as ``512 KiB`` or ``1.2 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if n_bytes < 1024:
            return f"{_short(n_bytes)} {unit}"
        n_bytes /= 1024
    return f"{_short(n_bytes)} EiB"


def _short(number: float) -> str:
    """Three digits, or all those before the point."""
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
