"""Shows a running sweep: as a live table on a terminal, and as plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import nsmallest

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from qhn.cli.lane_words import lane_lines, lane_table
from qhn.cli.words import counted, duration, plus_minus
from qhn.sweeps.driver.board import Board, GroupCounts

_LINE_EVERY_S = 10.0
_LINES_AROUND = 8
_LINES_AROUND_LANES = 5
_NUMBERS = (("done", 7), ("now", 3), ("failed", 6), ("test accuracy", 13))
_GAPS = 8


@contextmanager
def live_view(board: Board, console: Console) -> Iterator[None]:
    """Show the board until the context closes."""
    if console.is_terminal:
        view = _View(board, console)
        # By default rich shows what is printed above the table. Here it must go to the log.
        with Live(
            view,
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_print_lines, args=(board, console, stop), daemon=True)
    try:
        thread.start()
        yield
    finally:
        stop.set()
        if thread.is_alive():
            thread.join()


def status_line(board: Board) -> str:
    """The progress of a sweep in one line."""
    if board.unwritten is not None:
        left = board.unwritten()
        return f"{board.phase}: {counted(left, 'run')} left" if left else board.phase
    over, failed, running = (board.count(state) for state in ("finished", "failed", "running"))
    parts = [f"{over:,} of {counted(board.planned, 'trial')} finished"]
    if running:
        parts.append(f"{running} running")
    if failed:
        parts.append(f"{failed} failed")
    rate, left_s = board.rate(), board.seconds_left()
    if rate is not None and left_s:
        parts += [f"{rate:.1f} trials/s", f"{duration(left_s)} left"]
    return f"{board.phase}: " + ", ".join(parts)


def _print_lines(board: Board, console: Console, stop: threading.Event) -> None:
    phase, printed_at = "", 0.0
    while not stop.is_set():
        now = time.monotonic()
        if board.phase != phase or now - printed_at >= _LINE_EVERY_S:
            phase, printed_at = board.phase, now
            console.print(status_line(board), soft_wrap=True)
            if board.phase == "training":
                for line in lane_lines(board.lanes):
                    console.print(line, soft_wrap=True, markup=False)
        stop.wait(0.2)


class _View:
    """The live table. rich calls `__rich__` at each refresh."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console

    def __rich__(self) -> RenderableType:
        board = self._board
        groups = list(board.groups.values())
        lanes_take = len(board.lanes.standings)
        around = _LINES_AROUND + (lanes_take + _LINES_AROUND_LANES if lanes_take else 0)
        shown = _most_interesting(groups, max(3, self._console.height - around))
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        room = self._console.width - sum(width for _, width in _NUMBERS) - _GAPS
        table.add_column("group", no_wrap=True, overflow="ellipsis", max_width=max(room, 8))
        for title, width in _NUMBERS:
            table.add_column(title, justify="right", no_wrap=True, min_width=width)
        for group in shown:
            finished, failed = group.counts["finished"], group.counts["failed"]
            table.add_row(
                Text(group.label),
                f"{finished}/{group.planned}",
                str(group.counts["running"] or ""),
                Text(str(failed or ""), "red"),
                plus_minus(group.accuracies),
                style="dim" if finished + failed == group.planned else "",
            )
        if len(shown) < len(groups):
            table.caption = f"and {counted(len(groups) - len(shown), 'more group')}"
        over, width = board.count("finished") + board.count("failed"), self._console.width
        bar = ProgressBar(total=max(board.planned, 1), completed=over, width=min(60, width))
        # Bar and line come above the table, because rich cuts off the end if the screen is small.
        line = Text(status_line(board), no_wrap=True, overflow="ellipsis")
        lanes = lane_table(board.lanes)
        return Group(bar, Text(), line, *([] if lanes is None else [lanes]), table)


def _most_interesting(groups: list[GroupCounts], count: int) -> list[GroupCounts]:
    """The groups to show if not all of them fit, in the order of the plan.

    Groups with running trials come first, and then those with the smallest part finished.
    """
    if len(groups) <= count:
        return groups

    def urgency(place: int) -> tuple[int, float]:
        group = groups[place]
        return (-group.counts["running"], group.counts["finished"] / group.planned)

    return [groups[place] for place in sorted(nsmallest(count, range(len(groups)), key=urgency))]
