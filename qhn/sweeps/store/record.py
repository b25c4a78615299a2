"""All that the store knows about one trial, read at once."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.core.errors import InvalidValueError, StoreError
from qhn.core.training.history import History
from qhn.sweeps.store.results import TrialError, TrialResult
from qhn.sweeps.store.store import Store


@dataclass(frozen=True)
class TrialRecord:
    """A trial as the store has it: history so far, and its result or error if it is over."""

    history: History
    result: TrialResult | None
    error: TrialError | None


def read_record(store: Store, trial_id: str) -> TrialRecord:
    """Read one trial from the store.

    Where the checkpoint of a trial that is over was lost, the history is the result's one row.
    """
    # Result first: a checkpoint read afterwards is at least as new.
    result, error = store.result(trial_id), store.error(trial_id)
    try:
        state = store.checkpoint(trial_id)
    except StoreError:
        # What made the trial fail may make its checkpoint unreadable; the failure is still shown.
        if error is None:
            raise
        state = None
    try:
        history = History() if state is None else History.from_array(state["history"])
        if result is not None and (not history.steps or history.steps[-1] < result.steps):
            history.append(result.steps, result.finished_ms, result.metrics)
    except (InvalidValueError, KeyError):  # of another version
        history = History()
    return TrialRecord(history, result, error)
