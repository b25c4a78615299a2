"""Hands trials to Ray Tune one by one, and only a few more than can run at once.

Tune prepares at most a fixed number of waiting trials, whatever resources they need. If many trials
of one lane waited there, they would hold back the trials of other lanes. Tune could also take all
trials at once as a grid, but it would copy the whole grid for each trial. So each trial is handed
over alone, as JSON text.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ray.tune.search import Searcher

from qhn.sweeps.driver.lane import Lane, LaneOf
from qhn.sweeps.planning.plan import PlannedTrial

#: How many seconds trials that wait in a queue leave the cores to the first simulated trial. Longer
#: than a process takes to start on a busy machine, and nothing beside the hours of a queue.
HEAD_START_S = 20.0


class Emission(Searcher):  # type: ignore[misc]
    """Hands trials to Tune in the order of the plan, at most `Lane.most_alive` of each lane.

    Args:
        trials: the trials that are left. Each lane keeps their order, but a trial that may not
            begin yet lets others pass.
        lane_of: returns the lane of a trial.
        config_of: returns what else Tune's configuration of a trial has, as JSON values.
        may_begin: returns whether a trial may begin: whether it has no parent, or its parent has
            finished.
        changes: returns something that is equal as long as the answers of ``may_begin`` are the
            same. By default they may be others each time.
        may_come: returns whether there is memory for the loss table of a trial now. If there is
            none for the trial of a lane whose turn it is, the whole lane waits.
        coming: is called with each trial just before it is handed over.
        clock: returns the time in seconds, from any beginning.
    """

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        lane_of: LaneOf,
        config_of: Callable[[PlannedTrial], Mapping[str, Any]] = lambda trial: {},
        *,
        may_begin: Callable[[PlannedTrial], bool] = lambda trial: True,
        changes: Callable[[], object] = object,
        may_come: Callable[[PlannedTrial], bool] = lambda trial: True,
        coming: Callable[[PlannedTrial], None] = lambda trial: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lane_of = lane_of
        self._config_of = config_of
        self._may_begin = may_begin
        self._changes = changes
        self._may_come = may_come
        self._coming = coming
        self._clock = clock
        # When the first simulated trial was handed over, and whether one has begun to run.
        self._handed_at: float | None = None
        self._begun = False
        self._lanes: dict[str, Lane] = {}
        self._waiting: dict[str, deque[PlannedTrial]] = {}
        # Tune's ids of the trials that it has and that have not ended, by lane.
        self._alive: dict[str, set[str]] = {}
        # What `changes` returned when no trial of a lane could begin, by lane. Tune asks for a
        # trial in every turn, and thousands may wait for their parents.
        self._blocked: dict[str, object] = {}
        # The bytes that are reserved for trials which were killed for want of memory, by trial id.
        self._memory: dict[str, int] = {}
        for trial in trials:
            self._queue(trial).append(trial)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial, as Tune's configuration of it.

        Returns:
            The configuration; None if no trial can be handed over now; or ``Searcher.FINISHED``
            if none will come any more.
        """
        next_of = {lane.name: self._next(lane) for lane in self._lanes.values()}
        if self._is_head_start():
            next_of |= {lane.name: None for lane in self._lanes.values() if lane.is_queued}
        able = [lane for lane in self._lanes.values() if next_of[lane.name] is not None]
        if not able:
            return str(Searcher.FINISHED) if self.is_over else None
        # Take the lane that is filled least, so that no lane waits until another one is full.
        # Where lanes are equal, as at the beginning, simulated trials come first: theirs are the
        # cores that the start of a process takes, and trials in a queue have to wait anyway.
        lane = min(
            able,
            key=lambda lane: (len(self._alive[lane.name]) / lane.most_alive, lane.is_queued),
        )
        trial = next_of[lane.name]
        assert trial is not None
        self._waiting[lane.name].remove(trial)
        self._alive[lane.name].add(trial_id)
        if not lane.is_queued and self._handed_at is None:
            self._handed_at = self._clock()
        self._coming(trial)
        return {
            "id": trial.trial_id,
            "trial": trial.config.to_json(),
            "lane": lane.name,
            **self._config_of(trial),
            **self._reserved(trial),
        }

    @property
    def is_over(self) -> bool:
        """Whether all trials were handed over and have ended.

        A trial that has not ended may have to be handed over once more, because its process can
        die. Tune never asks again after it was told that this is the end.
        """
        return not any(self._waiting.values()) and not any(self._alive.values())

    def resize(self, lanes: Iterable[Lane]) -> None:
        """Take new numbers of trials at once for some lanes. Those that are alive stay alive."""
        self._lanes |= {lane.name: lane for lane in lanes if lane.name in self._lanes}

    def begins(self, trial: PlannedTrial) -> None:
        """Note that a trial that was handed over has a process and begins to run."""
        self._begun = self._begun or not self._lane_of(trial).is_queued

    def _is_head_start(self) -> bool:
        """Whether trials that wait in a queue still leave the cores to the first simulated trial.

        The processes of all lanes would otherwise start at the same time, on the same cores, and
        the queue would have its first jobs before any simulated trial runs. If the simulated trial
        cannot begin, for example because another sweep has all cores, the queue does not wait.
        """
        if self._begun or self._handed_at is None:
            return False
        if not any(self._alive[lane.name] for lane in self._lanes.values() if not lane.is_queued):
            return False
        return self._clock() - self._handed_at < HEAD_START_S

    def _next(self, lane: Lane) -> PlannedTrial | None:
        """The trial of a lane that can be handed over now, or None."""
        if len(self._alive[lane.name]) >= lane.most_alive:
            return None
        changes = self._changes()
        if self._blocked.get(lane.name) == changes:
            return None
        # Most lanes have no children, and then the first trial is the one, however many wait.
        ready = next(filter(self._may_begin, self._waiting[lane.name]), None)
        if ready is None:
            self._blocked[lane.name] = changes
            return None
        return ready if self._may_come(ready) else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Note that a trial has ended, which makes room for another one."""
        for alive in self._alive.values():
            alive.discard(trial_id)

    def again(self, trial: PlannedTrial, memory: int = 0) -> None:
        """Hand a trial whose process died over once more, before all others of its lane.

        Args:
            trial: the trial.
            memory: how many bytes to reserve for it from now on; 0 for as before.
        """
        if memory:
            self._memory[trial.trial_id] = memory
        self._queue(trial).appendleft(trial)
        self._blocked.pop(self._lane(trial).name, None)

    def memory_of(self, trial: PlannedTrial) -> int:
        """How many bytes are reserved for a trial; 0 if none are."""
        return self._memory.get(trial.trial_id, 0)

    def lane_of(self, trial: PlannedTrial) -> Lane:
        """The lane of a trial."""
        return self._lane_of(trial)

    def _reserved(self, trial: PlannedTrial) -> dict[str, int]:
        return {"memory": memory} if (memory := self.memory_of(trial)) else {}

    def _lane(self, trial: PlannedTrial) -> Lane:
        lane = self._lane_of(trial)
        return lane.roomy if trial.trial_id in self._memory else lane

    def _queue(self, trial: PlannedTrial) -> deque[PlannedTrial]:
        """The trials that wait in the lane of a trial."""
        lane = self._lane(trial)
        if lane.name not in self._lanes:
            self._lanes[lane.name] = lane
            self._waiting[lane.name], self._alive[lane.name] = deque(), set()
        return self._waiting[lane.name]

    def drop(self, trial: PlannedTrial) -> None:
        """Never hand over a trial that waits here. Its parent has failed."""
        with suppress(ValueError):  # it does not wait here
            self._queue(trial).remove(trial)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: what is left to do follows from the plan and the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, as `save` has saved nothing."""
