"""The state of a sweep that is running, as one object that views read and the driver writes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from qhn.sweeps.planning.plan import PlannedTrial

TrialState = Literal["waiting", "running", "finished", "failed"]
_RECENT = 200


@dataclass
class GroupCounts:
    """How far one group is: numbers of trials by state, and the last test accuracies."""

    label: str
    counts: Counter[TrialState] = field(default_factory=Counter)
    accuracies: list[float] = field(default_factory=list)

    @property
    def planned(self) -> int:
        """Number of trials of the plan."""
        return self.counts.total()


class Board:
    """Counts of a sweep by group, its rate and the time left.

    Args:
        trials: the whole plan.
        done: trials that were over before, with their test accuracy.
        failed: trials that failed before and are not tried again.
    """

    def __init__(
        self, trials: Iterable[PlannedTrial], done: Mapping[str, float], failed: set[str]
    ) -> None:
        self.groups: dict[str, GroupCounts] = {}
        self._states: dict[str, TrialState] = {}
        self._groups_of: dict[str, GroupCounts] = {}
        # Kept by hand: both are asked for at every turn of Tune's loop.
        self._counts: Counter[TrialState] = Counter()
        self._running: dict[str, None] = {}
        self._ended_at: deque[float] = deque(maxlen=_RECENT)
        self.phase = "starting"
        # Lines for people: files that could not be used, for example.
        self.notes: list[str] = []
        # How many trials MLflow does not have yet, once that is what is waited for.
        self.unwritten: Callable[[], int] | None = None
        for trial in trials:
            group = self.groups.setdefault(trial.group, GroupCounts(trial.group))
            group.counts["waiting"] += 1
            self._groups_of[trial.trial_id] = group
            self._states[trial.trial_id] = "waiting"
            self._counts["waiting"] += 1
            if trial.trial_id in done:
                self.move(trial.trial_id, "finished", done[trial.trial_id])
            elif trial.trial_id in failed:
                self.move(trial.trial_id, "failed")
        self._ended_at.clear()

    def move(self, trial_id: str, state: TrialState, accuracy: float | None = None) -> None:
        """Note that a trial has another state; an accuracy where it has finished."""
        group, before = self._groups_of[trial_id], self._states[trial_id]
        if before == state:
            return
        self._states[trial_id] = state
        for counts in (self._counts, group.counts):
            counts[before] -= 1
            counts[state] += 1
        if state == "running":
            self._running[trial_id] = None
        else:
            self._running.pop(trial_id, None)
        if state in ("finished", "failed"):
            self._ended_at.append(time.monotonic())
        if accuracy is not None:
            group.accuracies.append(accuracy)

    def count(self, state: TrialState) -> int:
        """Number of trials in a state."""
        return self._counts[state]

    def running(self) -> list[str]:
        """Trials that run now, by id, the longest running first."""
        return list(self._running)

    @property
    def planned(self) -> int:
        """Number of trials of the plan."""
        return len(self._states)

    def rate(self) -> float | None:
        """Trials per second over the last trials that ended, or None while that is unknown."""
        if len(self._ended_at) < 2:
            return None
        return (len(self._ended_at) - 1) / max(time.monotonic() - self._ended_at[0], 1e-9)

    def seconds_left(self) -> float | None:
        """Expected time to the end of the sweep, or None while that is unknown."""
        rate = self.rate()
        return None if not rate else (self.count("waiting") + self.count("running")) / rate
