"""The progress of a running sweep: one object that the driver updates and the views read."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from qhn.sweeps.driver.lane_board import LaneBoard
from qhn.sweeps.planning.plan import PlannedTrial

TrialState = Literal["waiting", "running", "finished", "failed"]
_RECENT = 200


@dataclass
class GroupCounts:
    """The progress of one group.

    Attributes:
        label: the label of the group.
        counts: the number of its trials in each state.
        accuracies: the test accuracies of its finished trials.
    """

    label: str
    counts: Counter[TrialState] = field(default_factory=Counter)
    accuracies: list[float] = field(default_factory=list)

    @property
    def planned(self) -> int:
        """The number of planned trials of the group."""
        return self.counts.total()


class Board:
    """Counts the trials of a sweep by state and group, and estimates the time that is left.

    Args:
        trials: all planned trials.
        done: the test accuracies of trials that finished before this run, by trial id.
        failed: ids of trials that failed before this run and are not tried again.
        lanes: how the lanes of queued devices stand; None if there are none.

    Attributes:
        groups: the progress of each group, by its label.
        phase: what the driver does now, in a few words for people.
        lanes: how the lanes of queued devices stand.
        notes: lines for people, for example about files that could not be used.
        unwritten: a function that returns how many trials still have to be written to MLflow. None
            until the sweep waits for nothing else.
    """

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        done: Mapping[str, float],
        failed: set[str],
        lanes: LaneBoard | None = None,
    ) -> None:
        self.groups: dict[str, GroupCounts] = {}
        self._states: dict[str, TrialState] = {}
        self._groups_of: dict[str, GroupCounts] = {}
        # Both could be computed from the states, but they are needed in every turn of Tune's loop.
        # A dictionary serves as a set here, because it keeps its order.
        self._counts: Counter[TrialState] = Counter()
        self._running: dict[str, None] = {}
        self._ended_at: deque[float] = deque(maxlen=_RECENT)
        self.phase = "starting"
        self.lanes = lanes or LaneBoard()
        self.notes: list[str] = []
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
        # `move` has noted the end of trials that ended before this run; they say nothing about
        # its rate.
        self._ended_at.clear()

    def move(self, trial_id: str, state: TrialState, accuracy: float | None = None) -> None:
        """Note the new state of a trial.

        Args:
            trial_id: the id of the trial.
            state: its new state. If it has this state already, nothing changes.
            accuracy: its test accuracy, if it has finished.
        """
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
        """The number of trials in a state."""
        return self._counts[state]

    def running(self) -> list[str]:
        """The ids of the trials that run now. The one that runs longest comes first."""
        return list(self._running)

    @property
    def planned(self) -> int:
        """The number of planned trials."""
        return len(self._states)

    def rate(self) -> float | None:
        """Trials per second, from the last 200 trials that ended; None if fewer than two ended."""
        if len(self._ended_at) < 2:
            return None
        return (len(self._ended_at) - 1) / max(time.monotonic() - self._ended_at[0], 1e-9)

    def seconds_left(self) -> float | None:
        """The estimated seconds to the end of the sweep; None if the rate is not known."""
        rate = self.rate()
        return None if not rate else (self.count("waiting") + self.count("running")) / rate
