"""How far a sweep is, where a Python program can show it: terminal, notebook, or plain lines.

It goes to standard error, as progress usually does, so that a program's own output stays its own.
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
    """How to show a sweep's board, until the context closes.

    Args:
        wanted: whether to show it at all.
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
    """Where the sweep stands, in one line."""
    over, failed = board.count("finished"), board.count("failed")
    if board.unwritten is not None:
        return f"{board.phase}: {board.unwritten()} runs left"
    parts = [f"{over} of {board.planned} trials finished", f"{board.count('running')} running"]
    if failed:
        parts.append(f"{failed} failed")
    if (left := board.seconds_left()) is not None:
        parts.append(f"{timedelta(seconds=round(left))} left")
    return f"{board.phase}: {', '.join(parts)}"


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """Standard error as the program has it, also while what libraries print goes to the log."""
    try:
        is_redirected = sys.stderr.fileno() == 2
    except (OSError, ValueError):  # a stream of a notebook or a test, which has no descriptor
        is_redirected = False
    if not is_redirected:
        yield sys.stderr
        return
    with os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as stream:
        yield stream


def _notebook() -> Callable[..., Any] | None:
    """IPython's function that shows something below a notebook's cell; None elsewhere."""
    # Where there is a notebook, it has imported IPython.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import display

    found: Callable[..., Any] = display
    return found


class _InNotebook:
    """One line below the cell, which is replaced."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def __call__(self, board: Board) -> None:
        self._handle.update({"text/plain": line(board)}, raw=True)


class _Lines:
    """A line for each phase, and one every ten seconds."""

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
        # What libraries print goes to the log; rich would bring it back to the terminal.
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
    """Say how far the board is, again and again, from a thread of its own."""
    over = threading.Event()

    def follow() -> None:
        # Nobody may be there any more to whom it could be said; the sweep goes on all the same.
        with suppress(OSError, ValueError):
            say(board)
            while not over.wait(_LOOK_EVERY_S):
                say(board)

    # A notebook finds the cell that a line belongs to in the context of whoever called us.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(follow,), name="qhn-progress", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
