"""All that the store knows about one trial, read at once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, InvalidValueError
from qhn.core.training.history import History
from qhn.sweeps.store.results import TrialError, TrialResult
from qhn.sweeps.store.store import Store


@dataclass(frozen=True)
class TrialRecord:
    """A trial as the store has it: history so far, and its result or error if it is over."""

    history: History
    result: TrialResult | None
    error: TrialError | None


def read_record(store: Store, trial_id: str, *, stop: TrialResult | None = None) -> TrialRecord:
    """Read one trial from the store, as far as it can be read.

    Where the checkpoint of a trial that is over was lost, the history is the result's one row.

    Args:
        store: where the trial is.
        trial_id: which one.
        stop: where a sweep stopped it early, for the trial as that sweep has it: this is its
            result then, and what another sweep trained beyond it is left out.

    Raises:
        NewerFormatError: if a newer version wrote one of its files.
        StoreError: if the store cannot be read.
    """
    # Result first: a checkpoint read afterwards is at least as new.
    outcomes = store.outcomes([trial_id])
    result = stop or outcomes.results.get(trial_id)
    error = outcomes.errors.get(trial_id) if stop is None else None
    try:
        state = store.checkpoint(trial_id)
        history = History() if state is None else read_history(state)
    except (DamagedError, InvalidValueError):
        history = History()
    if stop is not None:
        history = history_until(history, stop.steps)
    if result is not None and (not len(history) or history.steps[-1] < result.steps):
        # A result with other metrics than the rows before it cannot be one more of them.
        with suppress(InvalidValueError):
            history.append(result.steps, result.finished_ms, result.metrics)
    return TrialRecord(history, result, error)


def read_history(state: ArrayState) -> History:
    """The history in a checkpoint.

    Raises:
        InvalidValueError: if there is none, or none that this version reads.
    """
    if "history" not in state:
        raise InvalidValueError("a checkpoint must have a history, but it has none")
    return History.from_state(state)


def history_until(history: History, step: int) -> History:
    """The rows of a history up to a step, that step included."""
    kept = History()
    for row in history.items():
        if row[0] <= step:
            kept.append(*row)
    return kept
