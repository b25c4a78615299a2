"""Reading all that the store knows about one trial."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, InvalidValueError
from qhn.core.training.history import History
from qhn.sweeps.store.checkpoints import Checkpoint
from qhn.sweeps.store.results import TrialError, TrialResult
from qhn.sweeps.store.store import Store


@dataclass(frozen=True)
class TrialRecord:
    """A trial as the store has it.

    Attributes:
        history: the reports so far.
        result: the result, if the trial is over.
        error: the error, if the trial has failed.
        checkpoint: the checkpoint from which the history was read; None if there is none that can
            be read.
        damage: why the checkpoint cannot be read, if one is there.
    """

    history: History
    result: TrialResult | None
    error: TrialError | None
    checkpoint: Checkpoint | None = None
    damage: DamagedError | None = None


def read_record(store: Store, trial_id: str, *, stop: TrialResult | None = None) -> TrialRecord:
    """Read one trial from the store, as far as it can be read.

    If the trial is over and its checkpoint was lost, the history has one row: that of the result.

    Args:
        store: the store.
        trial_id: the id of the trial.
        stop: the result at which a sweep stopped the trial early, to read the trial as this sweep
            sees it. It becomes the result of the record, and later reports, from another sweep that
            trained the trial further, are left out.

    Raises:
        NewerFormatError: if a newer version wrote one of its files.
        StoreError: if the store cannot be read.
    """
    # The result is read before the checkpoint. Then the checkpoint is at least as new as the
    # result, even if the trial is running.
    outcomes = store.outcomes([trial_id])
    result = stop or outcomes.results.get(trial_id)
    error = outcomes.errors.get(trial_id) if stop is None else None
    checkpoint, damage, history = None, None, History()
    try:
        checkpoint = store.checkpoint(trial_id)
    except DamagedError as found:
        damage = found
    with suppress(InvalidValueError):
        history = History() if checkpoint is None else read_history(checkpoint)
    if stop is not None:
        history = history_until(history, stop.steps)
    if result is not None:
        add_result(history, result)
    return TrialRecord(history, result, error, checkpoint, damage)


def add_result(history: History, result: TrialResult) -> None:
    """Add a result as the last row of a history that ends before it."""
    if not len(history) or history.steps[-1] < result.steps:
        # If the result has other metrics than the history, another version wrote one of them, and
        # the result cannot become a row of this history.
        with suppress(InvalidValueError):
            history.append(result.steps, result.finished_ms, result.metrics)


def read_history(state: ArrayState) -> History:
    """Read the history in a checkpoint.

    Raises:
        InvalidValueError: if there is none, or if this version cannot read it.
    """
    if "history" not in state:
        raise InvalidValueError("a checkpoint must have a history, but it has none")
    return History.from_state(state)


def history_until(history: History, step: int) -> History:
    """The rows of a history up to and including a step."""
    kept = History()
    for row in history.items():
        if row[0] <= step:
            kept.append(*row)
    return kept
