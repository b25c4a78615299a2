"""Which trial is handed to Ray next: never many more than can run, so that no backlog forms.

Ray Tune stages at most a fixed number of pending trials, whatever resources they need, so a backlog
of one lane would hold back another. And it copies a grid once per trial, so trials are handed over
one by one, as text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ray.tune.search import Searcher

from qhn.sweeps.driver.lane import Lane, LaneOf
from qhn.sweeps.planning.plan import PlannedTrial


class Emission(Searcher):  # type: ignore[misc]
    """Hands trials to Tune in the order of the plan, at most `Lane.most_alive` of each lane.

    Args:
        trials: those that are left, in the order in which each lane takes them.
        lane_of: the lane of a trial.
        score: the metric by which the sweep stops trials early, if it does.
        may_come: whether a trial may be handed over now, as far as memory for its table goes.
            A lane whose first trial may not waits, so that each lane keeps its order.
        coming: told of each trial just before it is handed over.
    """

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        lane_of: LaneOf,
        score: str | None = None,
        may_come: Callable[[PlannedTrial], bool] = lambda trial: True,
        coming: Callable[[PlannedTrial], None] = lambda trial: None,
    ) -> None:
        super().__init__()
        self._lane_of = lane_of
        self._score = score
        self._may_come = may_come
        self._coming = coming
        self._lanes: dict[str, Lane] = {}
        self._waiting: dict[str, deque[PlannedTrial]] = {}
        # By lane, Tune's ids of trials that it has and that are not over.
        self._alive: dict[str, set[str]] = {}
        for trial in trials:
            lane = lane_of(trial)
            if lane.name not in self._lanes:
                self._lanes[lane.name] = lane
                self._waiting[lane.name], self._alive[lane.name] = deque(), set()
            self._waiting[lane.name].append(trial)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial as Tune's configuration, None for not now, or the end."""
        open_lanes = [lane for lane in self._lanes.values() if self._has_room(lane)]
        if not open_lanes:
            return str(Searcher.FINISHED) if self.is_over else None
        # The lane that has least of what it may have, so that none waits for another to fill up.
        lane = min(open_lanes, key=lambda lane: len(self._alive[lane.name]) / lane.most_alive)
        trial = self._waiting[lane.name].popleft()
        self._alive[lane.name].add(trial_id)
        self._coming(trial)
        return {
            "id": trial.trial_id,
            "trial": trial.config.to_json(),
            "lane": lane.name,
            "score": self._score,
        }

    @property
    def is_over(self) -> bool:
        """Whether no trial waits and none is alive.

        As long as one is alive it may come back, and Tune asks no more after the end.
        """
        return not any(self._waiting.values()) and not any(self._alive.values())

    def _has_room(self, lane: Lane) -> bool:
        waiting = self._waiting[lane.name]
        if not waiting or len(self._alive[lane.name]) >= lane.most_alive:
            return False
        return self._may_come(waiting[0])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Make room for another trial."""
        for alive in self._alive.values():
            alive.discard(trial_id)

    def again(self, trial: PlannedTrial) -> None:
        """Hand a trial over once more, before all others of its lane: its process has died."""
        self._waiting[self._lane_of(trial).name].appendleft(trial)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is left to do follows from the plan and the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as for `save`."""
