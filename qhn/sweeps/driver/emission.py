"""Which trial is handed to Ray next: never many more than can run, so that no backlog forms.

Ray Tune stages at most a fixed number of pending trials of whatever shape, so a backlog of one
kind would hold back another. And it copies a grid once per trial, so trials are handed over one
by one, as text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ray.tune.search import Searcher

from qhn.sweeps.driver.local_ray import most_alive
from qhn.sweeps.planning.plan import PlannedTrial


class Emission(Searcher):  # type: ignore[misc]
    """Hands trials to Tune in the order of the plan, at most `most_alive` at a time."""

    def __init__(self, trials: Iterable[PlannedTrial], slots: int) -> None:
        super().__init__()
        self._waiting = deque(trials)
        self._alive: set[str] = set()
        self._limit = most_alive(slots)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial as Tune's configuration, None for not now, or the end."""
        if not self._waiting:
            # As long as a trial is alive it may come back, and Tune asks no more after the end.
            return None if self._alive else str(Searcher.FINISHED)
        if len(self._alive) >= self._limit:
            return None
        self._alive.add(trial_id)
        trial = self._waiting.popleft()
        return {"id": trial.trial_id, "trial": trial.config.to_json()}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Make room for another trial."""
        self._alive.discard(trial_id)

    def again(self, trial: PlannedTrial) -> None:
        """Hand a trial over once more, before all others: its process has died."""
        self._waiting.appendleft(trial)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is left to do follows from the plan and the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as for `save`."""
