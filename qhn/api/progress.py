"""Shows the progress of a sweep to a Python program: as a bar, in a notebook, or as plain lines.

It is written to standard error, so that it does not mix with the output of the program.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.launch import View

_LOOK_EVERY_S = 0.25
_LINE_EVERY_S = 10.0

Say = Callable[[Board], None]


@contextmanager
def shown(wanted: bool) -> Iterator[View]:
    """A function that shows the board of a sweep, to be used before the context closes.

    Args:
        wanted: whether to show anything.
    """
    if not wanted or sys.stderr is None:
        yield lambda board, terminal: nullcontext()
        return
    with _own_stderr() as stream:
        console = Console(file=stream, highlight=False)

        def view(board: Board, terminal: TextIO) -> AbstractContextManager[object]:
            if (display := _notebook()) is not None:
                return _followed(board, _InNotebook(display))
            if console.is_terminal:
                return _bar(board, console)
            return _followed(board, _Lines(console))

        yield view


def line(board: Board) -> str:
    """The progress of a sweep in one line."""
    over, failed = board.count("finished"), board.count("failed")
    if board.unwritten is not None:
        return f"{board.phase}: {board.unwritten()} runs left"
    parts = [f"{over} of {board.planned} trials finished", f"{board.count('running')} running"]
    if failed:
        parts.append(f"{failed} failed")
    if board.lanes.paused:
        parts.append(f"{len(board.lanes.paused)} without budget")
    if (left := board.seconds_left()) is not None:
        parts.append(f"{timedelta(seconds=round(left))} left")
    return f"{board.phase}: {', '.join(parts)}"


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """The program's own standard error, which is not redirected to the log during the run."""
    # The run redirects the file descriptor 2. A copy of the descriptor still leads to where the
    # program's standard error leads now. A stream that does not use the descriptor is not affected.
    try:
        is_redirected = sys.stderr.fileno() == 2
    except (OSError, ValueError):  # in a notebook or a test, the stream has no descriptor
        is_redirected = False
    if not is_redirected:
        yield sys.stderr
        return
    with os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as stream:
        yield stream


def _notebook() -> Callable[..., Any] | None:
    """IPython's function that shows something below a cell; None if this is no notebook."""
    # A notebook has imported IPython already, so it is not imported only to find out.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import display

    found: Callable[..., Any] = display
    return found


class _InNotebook:
    """Shows the progress as one line below the cell, which is updated."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def __call__(self, board: Board) -> None:
        self._handle.update({"text/plain": line(board)}, raw=True)


class _Lines:
    """Prints a line at the beginning of each phase, and one every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase, self._printed_at = "", 0.0

    def __call__(self, board: Board) -> None:
        now = time.monotonic()
        if board.phase != self._phase or now - self._printed_at >= _LINE_EVERY_S:
            self._phase, self._printed_at = board.phase, now
            self._console.print(line(board), soft_wrap=True, markup=False)


@contextmanager
def _bar(board: Board, console: Console) -> Iterator[None]:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(
        *columns,
        console=console,
        transient=True,
        # By default rich shows what is printed above the bar. Here it must go to the log.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task("", total=board.planned)

        def say(board: Board) -> None:
            over = board.count("finished") + board.count("failed")
            bar.update(task, completed=over, description=line(board))

        with _followed(board, say):
            yield


@contextmanager
def _followed(board: Board, say: Say) -> Iterator[None]:
    """Call ``say`` with the board four times a second, in a thread, until the context closes."""
    over = threading.Event()

    def follow() -> None:
        # If standard error was closed meanwhile, the sweep goes on without showing progress.
        with suppress(OSError, ValueError):
            say(board)
            while not over.wait(_LOOK_EVERY_S):
                say(board)

    # A notebook finds the cell below which to show something in a context variable. New threads do
    # not inherit these, so the context of the caller is copied.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(follow,), name="qhn-progress", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
