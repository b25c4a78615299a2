"""Which waiting trial gets a process that has become free."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler


class PatientScheduler(FIFOScheduler):  # type: ignore[misc]
    """First in, first out, without taking trials away from processes that are still starting.

    Tune requests a process for each staged trial and, when another one becomes free, lets the
    oldest waiting trial have that and ends the one that was starting for it. A process takes
    seconds to start and a short trial less, so with plain FIFO most slots never get going
    (measured: one of two). The starting processes belong to the oldest waiting trials, one for
    each slot that is neither at work nor just freed; those trials are passed over.

    Args:
        slots: trials that run at once.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self._slots = slots
        # Tune's own list keeps every trial of the sweep; looking through it costs O(n) each turn.
        self._live: dict[str, Any] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A trial waits."""
        self._live[trial.trial_id] = trial

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A trial is over."""
        self._live.pop(trial.trial_id, None)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A trial's process died; if it is tried again, it is added again."""
        self._live.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial is given up before it ran."""
        self._live.pop(trial.trial_id, None)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The trial that the next free process should take, or None."""
        waiting = [trial for trial in self._live.values() if trial.status == "PENDING"]
        at_work = sum(1 for trial in self._live.values() if trial.status == "RUNNING")
        starting = max(0, self._slots - at_work - 1)
        return waiting[starting] if starting < len(waiting) else None
