"""``qhn sweep stop``: an orderly end for a sweep that runs in another terminal."""

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

from qhn.cli.listing import Counts, count, read_plan
from qhn.cli.options import store_option
from qhn.cli.progress import standing
from qhn.cli.tables import print_words
from qhn.cli.words import duration
from qhn.core.errors import QhnError, StoreError
from qhn.sweeps.store import Store
from qhn.sweeps.store.backend import LOCK
from qhn.sweeps.store.local import run_folder
from qhn.sweeps.store.sweep import Runner

_LOOK_EVERY_S = 0.1
_SAY_EVERY_S = 10.0


def stop_sweep(store: Store, name: str, timeout_s: float, console: Console) -> bool:
    """Ask the process that runs a sweep to stop, and wait until it has.

    Returns:
        Whether nothing runs the sweep any more.

    Raises:
        NotFoundError: if no such sweep was ever run.
        StoreError: if it runs on another machine, or it is not certain which process runs it.
    """
    kept = store.sweep(name)
    holder = kept.lock.holder()
    if holder is None:
        kept.read_file()  # a name that nobody knows is a mistake, not a sweep that stands still
        print_words(
            console, f"{escape(name)} is not running: nothing to stop. {_where(store, name)}"
        )
        return True
    runner = kept.lock.runner()
    if runner is None:
        raise StoreError(
            f"a sweep can be stopped when its lock says who holds it, but that of {name!r} is held "
            f"by {holder}; press Ctrl-C in the terminal in which it runs"
        )
    if runner.host != socket.gethostname():
        raise StoreError(
            f"a sweep is stopped on the machine that runs it, but {name!r} runs on {runner.host} "
            f"(process {runner.process}); run there: qhn sweep stop {name}{store_option(store)}"
        )
    process = _certain(runner, run_folder(store, name) / LOCK)
    if process is None:
        if kept.lock.runner() != runner:  # it has ended, or another one has begun, at this moment
            return stop_sweep(store, name, timeout_s, console)
        raise StoreError(
            f"a process is sent a signal when it is certain that it runs the sweep, but of process "
            f"{runner.process} it is not; press Ctrl-C in the terminal in which {name!r} runs"
        )
    _interrupt(process)
    print_words(
        console,
        f"Sent a stop to process {process.pid}, which runs {escape(name)}; trials that run are "
        "kept as far as they are.",
    )
    began = time.monotonic()
    ended = _wait(store, name, runner, timeout_s, console)
    took = duration(time.monotonic() - began)
    if ended:
        print_words(console, f"It has ended after {took}. {_where(store, name)}")
    else:
        print_words(
            console,
            f"[yellow]It is still running after {took}[/], perhaps to bring MLflow up to date. The "
            "same command waits on, but it also sends a second stop, which waits for nothing.",
        )
    return ended


def _certain(runner: Runner, lock: Path) -> psutil.Process | None:
    """The process that a lock's note names, if it is the one that holds the lock.

    The note of a driver that was killed stays there until the next one has written its own, and
    its process id may have gone to any other program by then. But only who runs the sweep has the
    file of the lock open for longer than a moment, and a process that was there before the note
    was written is no later owner of its id.
    """
    try:
        process = psutil.Process(runner.process)
        has_it_open = any(_same(Path(file.path), lock) for file in process.open_files())
        # Clocks of processes and of files differ by up to a second on Linux.
        was_there = process.create_time() <= lock.stat().st_mtime + 1.0
        return process if has_it_open and was_there else None
    except (psutil.Error, OSError):
        return None


def _same(path: Path, lock: Path) -> bool:
    with suppress(OSError):  # closed and removed at this moment
        return path.samefile(lock)
    return False


def _interrupt(process: psutil.Process) -> None:
    """Send what Ctrl-C sends: SIGTERM would end Ray at once in the moments of its start."""
    try:
        paused = process.status() == psutil.STATUS_STOPPED
        process.send_signal(signal.SIGINT)
        if paused and os.getpgid(process.pid) == process.pid:
            # A sweep that Ctrl-Z has paused must go on to be able to end, its Ray with it.
            os.killpg(process.pid, signal.SIGCONT)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return  # it has ended by itself
    except (psutil.AccessDenied, PermissionError):
        raise StoreError(
            f"a sweep is stopped by the user who runs it, but process {process.pid} is not yours; "
            "ask its user, or an administrator"
        ) from None


def _wait(store: Store, name: str, runner: Runner, timeout_s: float, console: Console) -> bool:
    """Wait until the process holds the lock no more; whether that came in time."""
    lock = store.sweep(name).lock
    began = said = time.monotonic()
    while lock.runner() == runner:
        now = time.monotonic()
        if now - began >= timeout_s:
            return False
        if now - said >= _SAY_EVERY_S:
            said = now
            print_words(console, f"waiting for its end ({duration(now - began)})")
        time.sleep(_LOOK_EVERY_S)
    return True


def _where(store: Store, name: str) -> str:
    """Where the sweep stands, and how it goes on."""
    counts: Counts | None = None
    with suppress(QhnError):  # of another version, for example: it is stopped all the same
        counts = count(store, read_plan(store, name))
    if counts is None:
        return ""
    left = counts.planned - counts.finished - counts.failed
    stand = standing(counts.planned, counts.finished, counts.failed)
    words = f"{stand[0].upper()}{stand[1:]}."
    if left:
        command = f"qhn sweep resume {name}{store_option(store)}"
        words += f" Go on with: {escape(command)}"
    return words
