"""Names of processes that never name another one, for whoever wants to know if one still lives."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from qhn.sweeps.store.atomic import is_alive

# The fields of /proc/<process>/stat that follow the program's name, which may have spaces in it.
_STATE, _STARTED = 0, 19


def process_name() -> str | None:
    """The name of this process; None where the system has no such thing.

    It is made of the start of the machine, the namespace of process ids (each container has its
    own), the process id, and the time at which the process began.
    """
    here, fields = _here(), _fields(os.getpid())
    return None if here is None or fields is None else f"{here} {os.getpid()} {fields[_STARTED]}"


def is_known_alive(name: str | None) -> bool | None:
    """Whether a process exists; None if that cannot be known here, as of another machine's."""
    here = _here()
    if name is None or here is None or not name.startswith(f"{here} "):
        return None
    process, _, began = name.removeprefix(f"{here} ").partition(" ")
    if not process.isdecimal():
        return None
    fields = _fields(int(process))
    if fields is None:
        # Some systems hide the processes of other users.
        return None if is_alive(int(process)) else False
    # Z and X: it was killed, and its parent has not asked for it yet.
    return fields[_STARTED] == began and fields[_STATE] not in "ZX"


def _here() -> str | None:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    return None


def _fields(process: int) -> list[str] | None:
    """What the system says of a process, from its state on; None if it says nothing."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
