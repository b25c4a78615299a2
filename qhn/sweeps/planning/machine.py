"""The memory that a machine has for a sweep, and sizes as text for people."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

#: The share of the memory that trials may use. The system and the driver need some, too.
_USABLE = 0.85
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_SHARED_MEMORY = Path("/dev/shm")
#: The size that Ray gives its object store by default: this share of the memory, but at most nearly
#: all of the shared memory (/dev/shm).
_STORE_SHARE = 0.3
_SHARED_MEMORY_SHARE = 0.95


@dataclass(frozen=True)
class Machine:
    """The memory of the machine that will run a sweep.

    Attributes:
        memory_bytes: the memory for trials and the tables that they share, in bytes.
        object_store_bytes: how much of it Ray's object store may use for tables, in bytes; None
            for a plain process without an object store.
    """

    memory_bytes: int
    object_store_bytes: int | None = None


def this_machine() -> Machine:
    """This machine, with a Ray that is started for the sweep.

    Ray must be started with exactly this size of the object store. By default it would choose a
    size from the memory that happens to be free at that moment.
    """
    memory = available_bytes()
    store = int(_STORE_SHARE * memory)
    with contextlib.suppress(OSError):  # only Linux has /dev/shm
        shared = psutil.disk_usage(str(_SHARED_MEMORY)).total
        store = min(store, int(_SHARED_MEMORY_SHARE * shared))
    return Machine(memory, store)


def available_bytes() -> int:
    """The memory that trials may use: most of the machine's memory, or of the container's limit."""
    total = psutil.virtual_memory().total
    # Without a limit the file is missing (OSError) or has the text "max" (ValueError).
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return int(_USABLE * total)


def size_text(n_bytes: float) -> str:
    """A size as text for people, such as ``512 KiB`` or ``1.2 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if n_bytes < 1024:
            return f"{_short(n_bytes)} {unit}"
        n_bytes /= 1024
    return f"{_short(n_bytes)} EiB"


def _short(number: float) -> str:
    """A number with three digits, or with all digits before the decimal point if these are more."""
    # The format "g" would write 1000 as 1e+03.
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
