"""Whose fault it was that the process of a trial died: the trial's own, or that of its machine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

#: How often a trial is started again after its process has died on a machine that lives on. If that
#: happens more often, the trial itself is taken for the reason, and fails.
RESTARTS = 3
#: How often it is started again at all. Machines that are hired by the minute may go often, but a
#: trial that takes its machine down with it must end at some time.
MOST_RESTARTS = 100
# What Ray writes if a machine has left, or cannot be reached any more. It says the latter first if
# a machine has lost its power, and the former only when it has given that machine up.
_MACHINE_WORDS = ("its node has died", "is unavailable:")


@dataclass
class Deaths:
    """Counts the deaths of each trial's processes.

    Args:
        living: returns the ids of the machines that Ray has now, without those that it drains.
    """

    living: Callable[[], Collection[str]]
    # Of each death that may be the trial's own fault, the machines on which it can have happened.
    _places: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    _all: dict[str, int] = field(default_factory=dict)

    def note(self, trial_id: str, node: str, why: str) -> None:
        """Note that the process of a trial has died.

        Args:
            trial_id: the id of the trial.
            node: the id of the machine that it ran on; empty if that is not known, because the
                trial has not answered since it came there.
            why: what Ray says about it; empty if it says nothing.
        """
        self._all[trial_id] = self._all.get(trial_id, 0) + 1
        if not any(words in why for words in _MACHINE_WORDS):
            where = [node] if node else self.living()
            self._places.setdefault(trial_id, []).append(frozenset(where))

    def may_go_on(self, trial_id: str) -> bool:
        """Whether the trial is started again.

        A death does not count if its machine is gone by now. When a machine loses its power, Ray
        may first say that a process has died, and notice only seconds later that the machine has.
        If it is not known which one it was, it may have been any of those that have gone since.
        """
        if self._all.get(trial_id, 0) > MOST_RESTARTS:
            return False
        places = self._places.get(trial_id, [])
        if len(places) <= RESTARTS:
            return True
        living = frozenset(self.living())
        return sum(where <= living for where in places) <= RESTARTS
