"""Has loss tables made before their first trial, and freed after their last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from qhn.sweeps.planning.memory import problem_of, stored_bytes
from qhn.sweeps.planning.plan import PlannedTrial


class TableUse:
    """Has each loss table made before its first trial, and freed after its last one.

    If there is not room for all tables, they come in the order of their first trials. Lanes differ
    in speed, and without an order two of them could wait for each other's tables forever.

    Args:
        trials: the trials that are left, in the order of the plan.
        tables: the handle of the Ray actor that keeps the tables (`qhn.sweeps.trial.tables`).
        room: how many bytes all tables together may take; None for no limit.
    """

    def __init__(self, trials: Iterable[PlannedTrial], tables: Any, room: int | None) -> None:
        self._tables = tables
        self._room = room
        # The sizes in bytes of the tables that exist now, by problem.
        self._living: dict[str, int] = {}
        self._left: Counter[str] = Counter()
        self._over: set[str] = set()
        # The problems whose tables were not made yet, in the order of their first trials.
        self._coming: dict[str, None] = {}
        total = 0
        for trial in trials:
            key = trial.config.shared_key
            total += 0 if key in self._coming else self._size(trial)
            self._coming[key] = None
            self._left[key] += 1
        self._in_turns = room is not None and total > room

    def may_come(self, trial: PlannedTrial) -> bool:
        """Whether there is room for the table of a trial, and no other table must come before."""
        key = trial.config.shared_key
        if not self._in_turns or key in self._living:
            return True
        if key in self._coming and key != next(iter(self._coming)):
            return False
        assert self._room is not None
        return not self._living or sum(self._living.values()) + self._size(trial) <= self._room

    @staticmethod
    def _size(trial: PlannedTrial) -> int:
        return stored_bytes(*problem_of(trial.config))

    def coming(self, trial: PlannedTrial) -> None:
        """Begin to make the table of a trial that is about to be handed over."""
        key = trial.config.shared_key
        if key in self._living:
            return
        # Nothing waits for the table here, because the trial asks for it as well. If the Ray actor
        # with the tables dies and is started again, it makes the table at that request.
        self._living[key] = self._size(trial)
        self._coming.pop(key, None)
        self._tables.prepare.remote(key, trial.config.to_json())

    def over(self, trial: PlannedTrial) -> None:
        """Note that a trial has ended, in whatever way. A second note of the same trial is ignored.

        The table is freed after the last trial that needs it.
        """
        if trial.trial_id in self._over:
            return
        self._over.add(trial.trial_id)
        key = trial.config.shared_key
        self._left[key] -= 1
        if self._left[key] == 0:
            self._coming.pop(key, None)
            # If all its trials have failed with their parents, the table was never made.
            if self._living.pop(key, None) is not None:
                self._tables.release.remote(key)
