"""``qhn sweep stop``: stops a sweep that runs in another terminal."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console
from rich.markup import escape

from qhn.cli.listing import Counts, count
from qhn.cli.logs import log_files
from qhn.cli.options import how_to_continue, store_option
from qhn.cli.progress import standing
from qhn.cli.tables import print_words
from qhn.cli.words import duration
from qhn.core.errors import QhnError, StoreError
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.store import Store
from qhn.sweeps.store.backend import LOCK
from qhn.sweeps.store.local import is_elsewhere, run_folder
from qhn.sweeps.store.sweep import Runner

_LOOK_EVERY_S = 0.1
_SAY_EVERY_S = 10.0


def runs_here(store: Store, name: str) -> bool:
    """Whether the process that runs a sweep is one of this machine."""
    runner = store.sweep(name).lock.runner()
    return runner is not None and runner.host == socket.gethostname()


def stop_sweep(
    store: Store, name: str, timeout_s: float, console: Console, *, now: bool = False
) -> bool:
    """Ask the process that runs a sweep to stop, and wait until it has ended.

    Args:
        store: where the sweep is kept.
        name: the name of the sweep.
        timeout_s: how many seconds to wait.
        console: where to print.
        now: whether to kill the process in place of asking it.

    Returns:
        Whether the sweep is not running any more.

    Raises:
        NotFoundError: if no such sweep was ever run.
        StoreError: if it runs on another machine, or it is not certain which process runs it.
    """
    kept = store.sweep(name)
    holder = kept.lock.holder()
    if holder is None:
        kept.read_file()  # raises an error if there is no such sweep
        print_words(
            console, f"{escape(name)} is not running: nothing to stop. {_where(store, name)}"
        )
        return True
    runner = kept.lock.runner()
    if runner is None:
        raise StoreError(
            f"to stop a sweep, its lock must name the process that runs it, but the lock of "
            f"{name!r} does not (it is held by {holder}); press Ctrl-C in the terminal in which "
            "the sweep runs"
        )
    if runner.host != socket.gethostname():
        raise StoreError(
            f"a sweep must be stopped on the machine that runs it, but {name!r} runs on "
            f"{runner.host} (process {runner.process}); run there: "
            f"qhn sweep stop {name}{store_option(store)}"
        )
    process = _certain(runner, _held_open(store, name))
    if process is None:
        # If the process has ended just now, or another one has begun, we try again.
        if kept.lock.runner() != runner:
            return stop_sweep(store, name, timeout_s, console, now=now)
        raise StoreError(
            f"a signal is sent only to a process that certainly runs the sweep, but process "
            f"{runner.process} may be another program; press Ctrl-C in the terminal in which "
            f"{name!r} runs"
        )
    _send(process, signal.SIGKILL if now else signal.SIGINT)
    print_words(
        console,
        f"Killed process {process.pid}, which ran {escape(name)}. Running trials go on later from "
        "their last checkpoints."
        if now
        else f"Sent a stop to process {process.pid}, which runs {escape(name)}. Running trials are "
        "saved, so that they can go on later.",
    )
    began = time.monotonic()
    ended = _wait(store, name, runner, timeout_s, console)
    took = duration(time.monotonic() - began)
    if ended:
        print_words(console, f"It has ended after {took}. {_where(store, name)}")
    else:
        print_words(
            console,
            f"[yellow]It is still running after {took}[/], perhaps to bring MLflow up to date. "
            "If you run this command again, it waits again, but it also sends a second stop, after "
            "which the sweep does not wait for MLflow any more.",
        )
    return ended


def _held_open(store: Store, name: str) -> Path:
    """The file that the driver of a sweep on this machine has open for as long as it runs.

    It is the lock, or the newest log if the lock is an object in another place.
    """
    logs = log_files(store, name) if is_elsewhere(store) else []
    return logs[-1] if logs else run_folder(store, name) / LOCK


def _certain(runner: Runner, held_open: Path) -> psutil.Process | None:
    """The process that is named in the note of a lock, if it certainly runs the sweep.

    If a driver was killed, its note stays in the lock until the next driver has written its own,
    and meanwhile another program may have got the same process id. So two things are checked. The
    process must have a file open which only the driver has for longer than a moment. And it must
    have started before the file was written, so that it has not got the id later.
    """
    try:
        process = psutil.Process(runner.process)
        has_it_open = any(_same(Path(file.path), held_open) for file in process.open_files())
        # Clocks of processes and of files differ by up to a second on Linux.
        was_there = process.create_time() <= held_open.stat().st_mtime + 1.0
        return process if has_it_open and was_there else None
    except (psutil.Error, OSError):
        return None


def _same(path: Path, other: Path) -> bool:
    with suppress(OSError):  # one of the files was removed at this moment
        return path.samefile(other)
    return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """Send SIGINT, as Ctrl-C does, or kill. While Ray starts, SIGTERM would end it at once."""
    try:
        paused = process.status() == psutil.STATUS_STOPPED
        process.send_signal(number)
        if paused and os.getpgid(process.pid) == process.pid:
            # A sweep that was paused with Ctrl-Z can only end if it goes on, and Ray's processes
            # with it, which are in the same process group.
            os.killpg(process.pid, signal.SIGCONT)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return  # the process has just ended
    except (psutil.AccessDenied, PermissionError):
        raise StoreError(
            f"a sweep can be stopped only by the user who runs it, but process {process.pid} "
            "belongs to another user; ask that user or an administrator"
        ) from None


def _wait(store: Store, name: str, runner: Runner, timeout_s: float, console: Console) -> bool:
    """Wait until the process has released the lock, and return whether it did so in time."""
    lock = store.sweep(name).lock
    began = said = time.monotonic()
    while lock.runner() == runner:
        now = time.monotonic()
        if now - began >= timeout_s:
            return False
        if now - said >= _SAY_EVERY_S:
            said = now
            print_words(console, f"waiting until it has ended ({duration(now - began)})")
        time.sleep(_LOOK_EVERY_S)
    return True


def _where(store: Store, name: str) -> str:
    """The progress of the sweep, and the command that continues it."""
    counts: Counts | None = None
    # If this version of qhn cannot read the file of the sweep, the sweep can still be stopped.
    with suppress(QhnError):
        counts = count(store, stored_plan(store.sweep(name)))
    if counts is None:
        return ""
    left = counts.planned - counts.finished - counts.failed
    stand = standing(counts.planned, counts.finished, counts.failed)
    words = f"{stand[0].upper()}{stand[1:]}."
    if left:
        words += f" Go on with: {escape(how_to_continue(name, store))}"
    return words
