"""Lets a process that trains leave when it gets SIGTERM: the trial is saved first."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import ray

_LOOK_EVERY_S = 0.1
_LONGEST_WAIT_S = 3.0


class Leaving:
    """What SIGTERM does to the process of a trial.

    Ray's own handler ends the process wherever it is, so that all steps since the last checkpoint
    are lost. Here the signal ends the piece of work after the step that is under way. The piece is
    saved as always, and Ray's handler follows.

    Python runs handlers in the main thread, between two of its own instructions. So a step that
    spends a minute in compiled code puts the end off for a minute; there would be nothing to save
    before. If the grace period is over by then, the trial loses this step and no more.
    """

    def __init__(self) -> None:
        self._is_wanted = False
        self._is_busy = False
        self._end: object = None

    def listen(self) -> None:
        """Handle SIGTERM from now on. It must be called in the main thread, after Ray has begun."""
        self._end = signal.signal(signal.SIGTERM, self._hear)
        # `cluster/worker` keeps the signal from Ray's processes, and this one has inherited that.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def is_wanted(self) -> bool:
        """Whether the process has been told to leave."""
        return self._is_wanted

    @contextmanager
    def put_off(self, leave: Callable[[], None]) -> Iterator[None]:
        """A piece of work at the end of which the process leaves, if it was told to meanwhile.

        Args:
            leave: is called before the process ends.

        Raises:
            SystemExit: in that case.
        """
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        if self._is_wanted:
            leave()
            self._go(None)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._is_wanted = True
        if not self._is_busy:
            self._go(frame)

    def _go(self, frame: FrameType | None) -> None:
        if callable(self._end):
            self._end(signal.SIGTERM, frame)
        raise SystemExit(1)


def draining_machines() -> set[str]:
    """The ids of the machines that Ray drains now."""
    return set(ray._private.state.state.get_draining_nodes())


def wait_until_drained(machine: str) -> None:
    """Wait until Ray drains a machine, for a few seconds at most.

    A scheduler sends SIGTERM to all processes of a machine, and the one that has Ray drain it may
    need a second for that. A trial that left before would be given a place on the same machine, and
    then wait there until the machine ends, since Ray starts no process on one that it drains. If
    the signal was for the process of the trial alone, the machine is never drained.

    Args:
        machine: the id of the machine in Ray.
    """
    until = time.monotonic() + _LONGEST_WAIT_S
    while machine not in draining_machines() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
