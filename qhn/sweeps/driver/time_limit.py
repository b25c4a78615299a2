"""Ends trials that work for longer than the sweep allows, or that hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LOOK_EVERY_S = 1.0
# If two looks are further apart, the driver itself has been paused, and its trials with it.
_LONGEST_TURN_S = 5.0


@dataclass
class _Work:
    """What is known of a trial.

    Attributes:
        process: what can be ended while a process works on the trial; None otherwise.
        heard_at: when the process was heard of last.
        worked_s: the seconds of training of which it has told.
        step: the step of its last report.
        ended_after_s: its seconds, and how many of them passed without a word of it, when it was
            ended; None while it may go on.
    """

    process: Any = None
    heard_at: float = 0.0
    worked_s: float = 0.0
    step: int = 0
    ended_after_s: tuple[float, float] | None = None


class TimeLimit:
    """Counts the time that each trial works, and ends the process of one that takes too long.

    A trial works while it trains, and while nothing is heard of it. A trial that waits for a queue
    says so every few seconds, so that its waiting does not count. The time counts from the
    beginning of this run, over all processes that have worked on the trial.

    Args:
        seconds: how long a trial may work; None for no limit.
        end: ends a process, by what `begins` was told of it.
        clock: returns the time in seconds, from any beginning.
    """

    def __init__(
        self,
        seconds: float | None,
        end: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._end = end
        self._clock = clock
        self._trials: dict[str, _Work] = {}
        self._now = 0.0
        self._turn_at = self._looked_at = clock()

    def begins(self, trial_id: str, process: Any) -> None:
        """Note that a process works on a trial from now on."""
        if self._seconds is not None:
            work = self._trials.setdefault(trial_id, _Work())
            work.process, work.heard_at = process, self._now

    def heard(self, trial_id: str, seconds: float, step: int) -> None:
        """Note an answer of a trial.

        Args:
            trial_id: the id of the trial.
            seconds: how long it has trained since its last answer.
            step: the step of its last report.
        """
        if (work := self._trials.get(trial_id)) is not None:
            work.worked_s += seconds
            # An answer that only says that the trial waits has no step.
            work.heard_at, work.step = self._now, max(work.step, step)

    def leaves(self, trial_id: str) -> None:
        """Note that the process of a trial has died."""
        if (work := self._trials.get(trial_id)) is not None:
            work.process = None

    def over(self, trial_id: str) -> None:
        """Note that a trial has ended, in whatever way."""
        self._trials.pop(trial_id, None)

    def look(self) -> None:
        """End the processes of trials that have worked for too long. It is called in every turn."""
        now = self._clock()
        self._now += min(now - self._turn_at, _LONGEST_TURN_S)
        self._turn_at = now
        if self._seconds is None or now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        for work in self._trials.values():
            silent = self._now - work.heard_at
            if work.process is None or work.ended_after_s is not None:
                continue
            if work.worked_s + silent > self._seconds:
                work.ended_after_s = work.worked_s + silent, silent
                self._end(work.process)

    def why_ended(self, trial_id: str) -> str | None:
        """A message about a trial whose process was ended here; None for any other trial."""
        work = self._trials.get(trial_id)
        if work is None or work.ended_after_s is None:
            return None
        total, silent = work.ended_after_s
        return (
            f"a trial must not work for longer than time_limit = {self._seconds:g} s, but at step "
            f"{work.step} this one had worked for {total:.0f} s, and nothing was heard of it for "
            f"the last {silent:.0f} s; raise time_limit and use --retry-failed, which goes on from "
            "its checkpoint"
        )
