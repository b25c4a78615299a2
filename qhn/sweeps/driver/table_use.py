"""Has loss tables made before their first trial, and freed after their last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from qhn.sweeps.planning.memory import stored_bytes
from qhn.sweeps.planning.plan import PlannedTrial


class TableUse:
    """Has each loss table made before its first trial, and freed after its last one.

    Args:
        trials: the trials that are left.
        tables: the handle of the Ray actor that keeps the tables (`qhn.sweeps.trial.tables`).
        room: how many bytes all tables together may take; None for no limit.
    """

    def __init__(self, trials: Iterable[PlannedTrial], tables: Any, room: int | None) -> None:
        self._tables = tables
        self._room = room
        # The sizes in bytes of the tables that exist now, by problem.
        self._living: dict[str, int] = {}
        self._left = Counter(trial.config.problem_key for trial in trials)
        self._over: set[str] = set()

    def may_come(self, trial: PlannedTrial) -> bool:
        """Whether there is room for the table of a trial. If no table exists, there always is."""
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
        # Nothing waits for the table here, because the trial asks for it as well. If the Ray actor
        # with the tables dies and is started again, it makes the table at that request.
        self._living[key] = self._size(trial)
        self._tables.prepare.remote(key, trial.config.to_json())

    def over(self, trial: PlannedTrial) -> None:
        """Note that a trial has ended, in whatever way. A second note of the same trial is ignored.

        The table is freed after the last trial that needs it.
        """
        if trial.trial_id in self._over:
            return
        self._over.add(trial.trial_id)
        key = trial.config.problem_key
        self._left[key] -= 1
        if self._left[key] == 0:
            self._living.pop(key, None)
            self._tables.release.remote(key)
