"""Trials that start from the result of another trial, their parent.

A child can only begin when its parent has finished, and fails if its parent fails. Both are
ordinary trials of the plan, mostly in different lanes: the parent is simulated, and the child waits
for a quantum processor.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialError


class Families:
    """Knows which trials may begin, and who fails with whom.

    Args:
        trials: the trials that are left to run.
        finished: the ids of the trials that have finished before.
    """

    def __init__(self, trials: Iterable[PlannedTrial], finished: Collection[str]) -> None:
        self._finished = set(finished)
        self._children: dict[str, list[PlannedTrial]] = {}
        for trial in trials:
            if trial.parent is not None:
                self._children.setdefault(trial.parent, []).append(trial)

    def may_begin(self, trial: PlannedTrial) -> bool:
        """Whether the trial has no parent, or its parent has finished."""
        return trial.parent is None or trial.parent in self._finished

    def changes(self) -> int:
        """A number that grows whenever trials may begin that might not before."""
        return len(self._finished)

    def has_children(self, trial: PlannedTrial) -> bool:
        """Whether a trial that is left starts from this one."""
        return trial.trial_id in self._children

    def has_finished(self, trial_id: str) -> None:
        """Note that a trial has finished, so that its children may begin."""
        self._finished.add(trial_id)

    def children(self, trial_id: str) -> tuple[PlannedTrial, ...]:
        """The trials that are left and start from this one."""
        return tuple(self._children.get(trial_id, ()))


def fails_with(parent: str, message: str) -> TrialError:
    """The error of a trial whose parent has failed.

    Args:
        parent: the label and id of the parent, for people.
        message: the message of the parent's error; only its first line is repeated.
    """
    why = (
        f"a trial starts from the angles of its parent, but the parent, {parent}, has failed: "
        f"{message.strip().partition(chr(10))[0]}"
    )
    return TrialError(why, why, int(time.time() * 1000))


def orphans(left: Iterable[PlannedTrial], finished: Collection[str]) -> list[PlannedTrial]:
    """Trials that are left, and whose parent has not finished and is not left either.

    This happens if the parent failed in an earlier run and is not tried again in this one.

    Args:
        left: the trials that are left.
        finished: the ids of the trials that have finished.
    """
    trials = list(left)
    waiting = {trial.trial_id for trial in trials}
    found: list[PlannedTrial] = []
    # A parent may itself be an orphan, so this goes on until no more are found.
    while True:
        more = [
            trial
            for trial in trials
            if trial.trial_id in waiting
            and trial.parent is not None
            and trial.parent not in finished
            and trial.parent not in waiting
        ]
        if not more:
            return found
        found += more
        waiting -= {trial.trial_id for trial in more}
