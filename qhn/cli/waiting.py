"""Says where a trial is that waits for a queued device, while it has nothing else to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

# A log must not be flooded by a trial that waits for hours.
_LINE_EVERY_S = 10.0


class Waiting:
    """Shows one line that changes on a terminal, and prints a line now and then elsewhere.

    Args:
        console: where to print.
        clock: gives the time in seconds, from any beginning.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._since = clock()
        self._status: Status | None = None

    def say(self, text: str) -> None:
        """Tell where the trial is. It may be called as often as one likes."""
        if self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status("")
                self._status.start()
            # A provider's words may have brackets, which rich would take for its own.
            self._status.update(Text(text))
        elif (now := self._clock()) - self._since >= _LINE_EVERY_S:
            self._since = now
            self._console.print(text, markup=False)

    def stop(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@contextmanager
def waiting(console: Console) -> Iterator[Waiting]:
    """A `Waiting` whose line is taken away when the context closes."""
    shown = Waiting(console)
    try:
        yield shown
    finally:
        shown.stop()
