"""Runs the driver of a sweep in a child process, so that every end of it is explained.

If one of Ray's processes dies, Ray ends the driver at once, and if memory runs out, the operating
system does. No Python code runs in the driver after that. So the process that the user starts does
not run the sweep itself. It forks the driver, passes stops on to it, and waits. However the driver
ends, this process then says what happened and how to go on, and removes what Ray has left.
The process that writes to MLflow gets the time to mark the runs that are open.
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
from typing import TYPE_CHECKING, Any

from rich.console import Console

from qhn.core.errors import QhnError
from qhn.sweeps.driver.neighbours import clear_leftovers
from qhn.sweeps.tracking.limits import ENDING_S, is_writer

if TYPE_CHECKING:
    import psutil

#: The exit code after a stop by the user.
INTERRUPTED = 130
#: The exit code if the driver was ended from outside: Ray has stopped, or memory has run out.
DRIVER_LOST = 3

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
# Options of Linux's `prctl`.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# How long to wait for processes of Ray that were killed.
_PATIENCE_S = 3.0
#: How long we wait for the writer without a word, and how long at most: a little longer than it
#: takes in any case.
_MOMENT_S = 1.0
_LONGEST_S = ENDING_S + 2.0


@dataclass(frozen=True)
class _Driver:
    """A running driver.

    Attributes:
        process: its process id, which is also the id of its process group.
        said: the file descriptor from which its exit code can be read. If it was ended from
            outside, nothing can be read.
    """

    process: int
    said: int


def supervised(work: Callable[[], int], hint: Callable[[], str]) -> int:
    """Do some work in a child process, and return its exit code.

    Stops (Ctrl-C, ``kill``, a closed terminal) reach the work as SIGINT. If this process is killed,
    the work is killed too. On systems other than Linux the work is done in this process.

    Args:
        work: a function that returns an exit code. It runs in the child process.
        hint: returns a text that says how to go on and where the log is, for the case that the
            work was ended from outside.

    Returns:
        What the work returned, or `DRIVER_LOST` if it ended without returning.
    """
    if not sys.platform.startswith("linux"):
        return work()  # only Linux has what is needed to keep the two processes together
    # If the driver dies, its children, Ray's processes, become children of this process. So they
    # can be found and ended.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Signals are blocked until their handlers are set. A stop just after the fork would otherwise
    # end this process and not the driver.
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
    # If this fails, no other message is needed, because the next start of a sweep tries it again.
    with suppress(OSError, QhnError):
        _end_descendants()
        clear_leftovers()
    return DRIVER_LOST


def _fork(work: Callable[[], int]) -> _Driver:
    """Fork the driver. So it need not import modules and read the sweep file again."""
    # Otherwise both processes would print what is in the buffers.
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
        # The driver gets a process group of its own. Ctrl-C at a terminal goes to the whole
        # foreground group, and the driver would get it twice: from the terminal and from us. A
        # second stop means that the user does not want to wait.
        os.setpgid(0, 0)
        # Now the driver is in the background of the terminal, and some terminals are set to stop
        # background processes that print (with SIGTTOU).
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        # Linux kills this process when its parent dies. If the parent died before this line, that
        # does not happen, so we look whether it is still there.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
                code = work()
            except KeyboardInterrupt:  # a stop before `work` handles signals itself
                code = INTERRUPTED
            except BrokenPipeError:  # the reader of our output has ended, as `head` does
                code = 1
            # The code is written before the streams are flushed, because flushing fails if the
            # reader of our output has ended.
            os.write(say, str(code).encode())
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
    finally:
        # `sys.exit` would also call what the parent has registered for its own end.
        os._exit(code)


def _pass_on(process: int) -> dict[int, Any]:
    """Set handlers that pass stops on to the driver, and return the handlers of before.

    All stops are passed on as SIGINT, because Ray handles SIGTERM for a part of its start and ends
    the process. Ctrl-Z and ``fg`` concern the whole process group of the driver, in which Ray's
    processes are.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _send(process, signal.SIGINT)

    def pause(number: int, frame: FrameType | None) -> None:
        # This process stops in the second line, and is continued there by ``fg``.
        _send(-process, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        _send(-process, signal.SIGCONT)

    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` starts us with SIGHUP ignored, so that we survive a closed terminal.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, pause)
    return before


def _send(process: int, number: int) -> None:
    # If the process has ended just now, there is nothing left to stop.
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _wait(process: int) -> int:
    """Wait for the driver, and return its wait status.

    When a signal arrives, Python runs its handler and then goes on waiting by itself.
    """
    while True:
        # -1 waits for any child. Processes of Ray whose parent has ended are children too.
        found, status = os.waitpid(-1, 0)
        if found == process:
            return status


def _end_descendants() -> None:
    """End what the driver has left: children of this process by now, each ended by its own id.

    Ray's processes are ended at once. The process that writes to MLflow ends by itself, after it
    has marked the runs that are open as killed, and is given the time for that.
    """
    import psutil

    # A stop in all this means that nobody wants to wait.
    with suppress(KeyboardInterrupt):
        left = psutil.Process().children(recursive=True)
        writers = [process for process in left if _writes(process)]
        _kill([process for process in left if process not in writers])
        _wait_for_writers(writers)
    _kill(psutil.Process().children(recursive=True))


def _writes(process: psutil.Process) -> bool:
    import psutil

    try:
        return is_writer(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return False


def _wait_for_writers(writers: list[psutil.Process]) -> None:
    import psutil

    _, left = psutil.wait_procs(writers, timeout=_MOMENT_S)
    if left:
        _console().print(
            f"Marking open runs in MLflow as killed, for {_LONGEST_S:.0f} s at most "
            "(Ctrl-C: do not wait; the next run mends them) ..."
        )
        psutil.wait_procs(left, timeout=_LONGEST_S)


def _kill(processes: list[psutil.Process]) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=_PATIENCE_S)


def _console() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)


def _say_what_happened(status: int, hint: str) -> None:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        why = "the process that ran the sweep was killed (out of memory, perhaps: see `dmesg`)"
    elif os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        why = f"the process that ran the sweep was ended by {name}"
    else:
        why = "Ray has stopped, and has ended the process that ran the sweep with it"
    _console().print(f"[bold red]error:[/] {why}. All finished trials are kept. {hint}")


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process. A failure is ignored: only cleaning up depends on it."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
