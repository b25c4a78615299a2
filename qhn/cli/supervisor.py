"""A process that watches the driver of a sweep, so that no end goes without a word.

Ray ends the driver's process at once when one of its own processes has died, and the operating
system does when memory runs out: no line of Python runs after that. So the process that a person
starts does not run the sweep itself. It forks the driver, passes stops on to it, and waits.
Whatever the driver's end, it says what happened and how to go on, and clears what Ray has left.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from rich.console import Console

from qhn.core.errors import QhnError
from qhn.sweeps.driver.neighbours import clear_leftovers

#: Exit code of a work that a person stopped.
INTERRUPTED = 130
#: Exit code of a driver that was ended from outside: Ray has stopped, or memory has run out.
DRIVER_LOST = 3

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: How long processes that Ray has left may take to end by themselves.
_PATIENCE_S = 3.0


@dataclass(frozen=True)
class _Driver:
    """A running driver.

    Attributes:
        process: its process id, which is also its process group's.
        said: the end of a pipe through which it says its exit code, if it comes to that.
    """

    process: int
    said: int


def supervised(work: Callable[[], int], hint: Callable[[], str]) -> int:
    """Do some work in a process of its own, and return its exit code.

    Stops (Ctrl-C, ``kill``, a closed terminal) reach the work as Ctrl-C. If this process is killed
    the work ends with it. Where there is no Linux the work runs in this process.

    Args:
        work: returns an exit code; runs in the new process.
        hint: how to go on, and where the log is, for a work that was ended from outside.

    Returns:
        What the work returned, or `DRIVER_LOST` if it ended before it could say so.
    """
    if not sys.platform.startswith("linux"):
        return work()  # what keeps the two processes together is Linux's own
    # Ray's processes lose their parent with the driver; so they become children of this one.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # A stop between the fork and the line after it would find nobody to pass it on.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    driver = _fork(work)
    handlers = _pass_on(driver.process)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    try:
        status = _wait(driver.process)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = os.read(driver.said, 16)
    os.close(driver.said)
    if said:
        return int(said)
    _say_what_happened(status, hint())
    # What cannot be tidied up now is no reason to say anything else; the next start tries again.
    with suppress(OSError, QhnError):
        _end_descendants()
        clear_leftovers()
    return DRIVER_LOST


def _fork(work: Callable[[], int]) -> _Driver:
    """Start the driver: a fork, since what is imported and read by now need not be again."""
    sys.stdout.flush()
    sys.stderr.flush()
    said, say = os.pipe()
    parent = os.getpid()
    process = os.fork()
    if process:
        os.close(say)
        return _Driver(process, said)
    code = 1
    try:
        os.close(said)
        # A group of its own: Ctrl-C at a terminal goes to the whole foreground group, and a driver
        # that got it there and from us would take the second for impatience.
        os.setpgid(0, 0)
        # A terminal may be set to stop whatever prints from the background, which this now is.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:  # else it died before the line above
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
                code = work()
            except KeyboardInterrupt:  # a stop before the work had made itself ready for one
                code = INTERRUPTED
            except BrokenPipeError:  # whoever reads what is printed has gone, as `head` does
                code = 1
            # First of all: whoever reads what is printed may have gone, and then flushing fails.
            os.write(say, str(code).encode())
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
    finally:
        # Not sys.exit: what the parent registered to be done at its end is not ours to do.
        os._exit(code)


def _pass_on(process: int) -> dict[int, Any]:
    """Pass stops on to the driver; the handlers of before.

    All of them as SIGINT: for a second of its start, Ray takes SIGTERM for itself and ends the
    process. Ctrl-Z and its end concern the driver's whole group, Ray's processes among them.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _send(process, signal.SIGINT)

    def pause(number: int, frame: FrameType | None) -> None:
        _send(-process, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        _send(-process, signal.SIGCONT)

    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever starts us with ``nohup`` means that a closed terminal is no end.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, pause)
    return before


def _send(process: int, number: int) -> None:
    # It may have ended just now, which is all that a stop asks for.
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _wait(process: int) -> int:
    """The driver's wait status. Python waits on after each signal that is handled."""
    while True:
        found, status = os.waitpid(-1, 0)  # also processes that Ray has left to us
        if found == process:
            return status


def _end_descendants() -> None:
    """End what Ray has left: children of this process by now, each ended by its own id."""
    import psutil

    left = psutil.Process().children(recursive=True)
    for process in left:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(left, timeout=_PATIENCE_S)


def _say_what_happened(status: int, hint: str) -> None:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        why = "the process that ran the sweep was killed (out of memory, perhaps: see `dmesg`)"
    elif os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        why = f"the process that ran the sweep was ended by {name}"
    else:
        why = "Ray has stopped, and has ended the process that ran the sweep with it"
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]error:[/] {why}. All finished trials are kept. {hint}")


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process. Where that fails we go on: it is for bad days only."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
