"""Which waiting trial gets a process that has become free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.tune.schedulers import FIFOScheduler


class PatientScheduler(FIFOScheduler):  # type: ignore[misc]
    """First in, first out, without taking trials away from processes that are still starting.

    Tune requests a process for each staged trial and, when another one becomes free, lets the
    oldest waiting trial have that and ends the one that was starting for it. A process takes
    seconds to start and a short trial less, so with plain FIFO most slots never get going
    (measured: one of two). The starting processes belong to the oldest waiting trials, one for
    each slot that is neither at work nor just freed; those trials are passed over.

    Slots are counted lane by lane: a process that has become free serves trials of its own lane
    alone, since Tune keeps processes apart by the resources that were reserved for them.

    Args:
        slots: by lane, trials that run at once.
    """

    def __init__(self, slots: Mapping[str, int]) -> None:
        super().__init__()
        self._slots = dict(slots)
        # Tune's own list keeps every trial of the sweep; looking through it costs O(n) each turn.
        self._live: dict[str, dict[str, Any]] = {lane: {} for lane in slots}
        # Where the search for a trial begins, so that no lane is always asked first.
        self._turn = 0

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A trial waits."""
        self._live[trial.config["lane"]][trial.trial_id] = trial

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A trial is over."""
        self._forget(trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A trial's process died; if it is tried again, it is added again."""
        self._forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial is given up before it ran."""
        self._forget(trial)

    def _forget(self, trial: Any) -> None:
        self._live[trial.config["lane"]].pop(trial.trial_id, None)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The trial that the next free process should take, or None."""
        lanes = list(self._live)
        self._turn += 1
        for place in range(len(lanes)):
            trial = self._next_of(lanes[(self._turn + place) % len(lanes)])
            if trial is not None:
                return trial
        return None

    def _next_of(self, lane: str) -> Any:
        trials = self._live[lane].values()
        waiting = [trial for trial in trials if trial.status == "PENDING"]
        at_work = sum(1 for trial in trials if trial.status == "RUNNING")
        starting = max(0, self._slots[lane] - at_work - 1)
        return waiting[starting] if starting < len(waiting) else None
