"""Starts, pauses and ends the processes of a part, and no others.

Every process inherits a mark in its environment: the folder of its cluster and the name of its
part. A process whose parents have died is still found by it, and a process of somebody else that
has got the id of an earlier one does not have it. PostgreSQL's processes overwrite the place in
which the mark can be read. They are found as children of the first process of their part, whose id
is written down together with the time of its start.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from topology.errors import TopologyError

_FOLDER = "QHN_TOPOLOGY"
_PART = "QHN_TOPOLOGY_PART"
_PATIENCE_S = 10.0
_ROUNDS = 5
_PAUSE_S = 0.02
# Where the start is in a process's description, after the name, which may contain spaces.
_STARTED = 19
# Python warns of a process that nobody has waited for. These are to outlive this one.
_launched: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Leader:
    """The first process of a part, and the leader of its group.

    Attributes:
        pid: its id.
        started: when it started, in the system's ticks since it was booted. Together with the id
            this names a single process: the system may give the id to another one later.
        launched: when it was launched, in seconds since 1970.
    """

    pid: int
    started: int
    launched: float

    def process(self) -> psutil.Process | None:
        """The process, or None if it has ended."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if ticks(self.pid) == self.started and _lives(process):
                return process
        return None


def start(
    command: Sequence[str],
    *,
    folder: Path,
    part: str,
    environment: Mapping[str, str],
    log: Path,
    account: pwd.struct_passwd | None = None,
) -> Leader:
    """Start the first process of a part, in a session of its own.

    Args:
        command: the program and its arguments, which everybody on this machine can read.
        folder: the folder of the cluster, in which the process works.
        part: the name of the part.
        environment: all variables of the process, besides the mark.
        log: the file to which it writes.
        account: the user as whom it runs; None for this one.

    Raises:
        TopologyError: if the program cannot be started.
    """
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
        launched = time.time()
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, _FOLDER: str(folder), _PART: part},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                **as_user(account),
            )
        except OSError as error:
            raise TopologyError(f"{part} must start, but {command[0]} did not: {error}") from error
    _launched.append(process)
    return Leader(process.pid, ticks(process.pid), launched)


def ticks(pid: int) -> int:
    """When a process started, in the system's ticks since it was booted; -1 if it is gone."""
    try:
        description = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    return int(description.rpartition(")")[2].split()[_STARTED])


def as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """The arguments with which `subprocess` runs a program as another user."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def members(folder: Path, part: str | None, *leaders: Leader | None) -> list[psutil.Process]:
    """The processes of a part that live.

    Args:
        folder: the folder of the cluster.
        part: the name of the part; None for the processes of all parts.
        leaders: its first process, or those of all parts, if they are known.
    """
    found = set(_marked(folder, part))
    for leader in leaders:
        first = None if leader is None else leader.process()
        if first is not None:
            found.add(first)
            with suppress(psutil.Error):
                found |= set(first.children(recursive=True))
    return [process for process in found if _lives(process)]


def kill(folder: Path, part: str | None, *leaders: Leader | None) -> int:
    """End all processes of a part at once, as a power cut would; how many there were.

    Raises:
        TopologyError: if some cannot be ended.
    """
    count = 0
    for _ in range(_ROUNDS):  # A process may start another one while we look.
        found = members(folder, part, *leaders)
        if not found:
            return count
        count += len(found)
        for process in found:
            # psutil compares the start of the process first, and spares one that has its id.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait(found, _PATIENCE_S)
    left = ", ".join(str(process.pid) for process in members(folder, part, *leaders))
    raise TopologyError(f"all processes of {part or folder} must end, but these live: {left}")


def stop(folder: Path, part: str, leader: Leader | None, grace_s: float) -> None:
    """Ask a part to end, and end what lives after a while."""
    first = None if leader is None else leader.process()
    if first is not None:
        with suppress(psutil.NoSuchProcess):
            first.terminate()
        _wait([first], grace_s)
    kill(folder, part, leader)


def pause(folder: Path, part: str, leader: Leader | None) -> None:
    """Let a part neither answer nor notice that time passes, until it is continued."""
    _send(members(folder, part, leader), signal.SIGSTOP)


def unpause(folder: Path, part: str, leader: Leader | None) -> None:
    """Let a part go on that was paused."""
    _send(members(folder, part, leader), signal.SIGCONT)


def _wait(found: Sequence[psutil.Process], limit_s: float) -> None:
    """Wait until processes have ended, whether or not their parent has asked how they did."""
    deadline = time.monotonic() + limit_s
    while any(map(_lives, found)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _marked(folder: Path, part: str | None) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # A process may end while we look at it, and those of other users are none of ours.
        with suppress(psutil.Error, OSError):
            marks = process.environ()
            if marks.get(_FOLDER) == str(folder) and part in (None, marks.get(_PART)):
                yield process


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
