"""When a loss table is needed: from its first trial to its last, and no longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from qhn.sweeps.planning.memory import stored_bytes
from qhn.sweeps.planning.plan import PlannedTrial


class TableUse:
    """Has tables made when their first trial comes, and let go after their last.

    Args:
        trials: those that are left.
        tables: handle of the Ray actor that keeps the tables (`qhn.sweeps.trial.tables`).
        room: bytes that tables may take together; None for as many as they want.
    """

    def __init__(self, trials: Iterable[PlannedTrial], tables: Any, room: int | None) -> None:
        self._tables = tables
        self._room = room
        # Sizes of the tables that live now, by problem.
        self._living: dict[str, int] = {}
        self._left = Counter(trial.config.problem_key for trial in trials)
        self._over: set[str] = set()

    def may_come(self, trial: PlannedTrial) -> bool:
        """Whether there is room for the trial's table; always where no table lives."""
        if self._room is None or not self._living or trial.config.problem_key in self._living:
            return True
        return sum(self._living.values()) + self._size(trial) <= self._room

    @staticmethod
    def _size(trial: PlannedTrial) -> int:
        return stored_bytes(trial.config.dataset, trial.config.network)

    def coming(self, trial: PlannedTrial) -> None:
        """Begin to make the table of a trial that is about to be handed over."""
        key = trial.config.problem_key
        if key in self._living:
            return
        # The trial asks for it again by itself, so that nothing needs to wait here, and a keeper
        # that was started again makes it anew.
        self._living[key] = self._size(trial)
        self._tables.prepare.remote(key, trial.config.to_json())

    def over(self, trial: PlannedTrial) -> None:
        """A trial is over, however it ended; told twice it counts once."""
        if trial.trial_id in self._over:
            return
        self._over.add(trial.trial_id)
        key = trial.config.problem_key
        self._left[key] -= 1
        if self._left[key] == 0:
            self._living.pop(key, None)
            self._tables.release.remote(key)
