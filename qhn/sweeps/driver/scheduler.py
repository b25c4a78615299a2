"""Chooses which waiting trial gets a process that has become free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from qhn.sweeps.driver.lane import Lane


class PatientScheduler(FIFOScheduler):  # type: ignore[misc]
    """First in, first out, but without the trials for which a process is starting.

    Tune starts a process for each trial that it prepares. When another process becomes free, Tune
    gives it to the oldest waiting trial, and ends the process that was starting for that trial. A
    process takes seconds to start and a short trial takes less time. So with plain first in, first
    out most slots would never begin to work (measured: one of two). The processes that are starting
    belong to the oldest waiting trials: one for each slot that neither works nor has just become
    free. This scheduler passes these trials over.

    Slots are counted by lane. A process that has become free can only take a trial of its own lane,
    because Tune distinguishes processes by the resources that were reserved for them.

    Args:
        slots: how many trials run at once, by lane.
    """

    def __init__(self, slots: Mapping[str, int]) -> None:
        super().__init__()
        self._slots = dict(slots)
        # Trials that wait and trials that run, by lane and id. Tune's own list also has all trials
        # that have ended, and to search it in every turn would take longer and longer.
        self._waiting: dict[str, dict[str, Any]] = {lane: {} for lane in slots}
        self._running: dict[str, dict[str, Any]] = {lane: {} for lane in slots}
        # The search begins with another lane each time, so that no lane is always first.
        self._turn = 0

    def resize(self, lanes: Iterable[Lane]) -> None:
        """Take new numbers of trials at once for some lanes."""
        self._slots |= {lane.name: lane.slots for lane in lanes if lane.name in self._slots}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Note that a trial waits."""
        self._waiting[trial.config["lane"]][trial.trial_id] = trial

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Note that a trial has ended."""
        self._forget(trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Note that the process of a trial died. If it is started again, Tune adds it again."""
        self._forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Note that a trial was given up before it ran."""
        self._forget(trial)

    def _forget(self, trial: Any) -> None:
        for trials in (self._waiting, self._running):
            trials[trial.config["lane"]].pop(trial.trial_id, None)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The trial that the next free process should take; None if there is none."""
        lanes = list(self._slots)
        self._turn += 1
        for place in range(len(lanes)):
            trial = self._next_of(lanes[(self._turn + place) % len(lanes)])
            if trial is not None:
                return trial
        return None

    def _next_of(self, lane: str) -> Any:
        waiting, running = self._waiting[lane], self._running[lane]
        # Tune does not tell its scheduler when a trial begins to run. That is looked for among
        # those that waited: they are about half of a lane's trials, and this is done in every turn.
        for trial in [trial for trial in waiting.values() if trial.status != "PENDING"]:
            running[trial.trial_id] = waiting.pop(trial.trial_id)
        starting = max(0, self._slots[lane] - len(running) - 1)
        return next(islice(waiting.values(), starting, None), None)
