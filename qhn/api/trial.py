"""One trial as the store has it: what it is, what it came to, and its trained circuit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qhn.api.finding import find_trial
from qhn.core.arrays import FloatArray
from qhn.core.errors import DamagedError, InvalidValueError, NotFoundError
from qhn.core.estimators.angles import restored_angles
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.results.table import Status, table_of
from qhn.sweeps.store import Checkpoint, Store, TrialResult, open_store, read_history, read_record
from qhn.sweeps.store.opening import default_store
from qhn.sweeps.store.stops import furthest_stop

if TYPE_CHECKING:
    from pandas import DataFrame

_ANGLES = "reported_parameters"


def load_trial(trial_id: str, store: str | os.PathLike[str] | None = None) -> Trial:
    """A trial of the store, read at once: what is written afterwards does not change it.

    Args:
        trial_id: 16 hexadecimal digits, as in `qhn.results`; the first six or more are enough
            where no other trial's id begins with them.
        store: its folder; None for the one that ``QHN_STORE`` names, else ``~/.qhn``.

    Raises:
        NotFoundError: if the store has no such trial, and none of its sweeps plans it.
        InvalidValueError: if several trials are meant, or none can be.
        StoreError: if the store cannot be read.
    """
    opened = open_store(default_store() if store is None else os.fspath(store))
    return Trial(opened, find_trial(opened, trial_id))


class Trial:
    """One trial; `load_trial` gives it.

    All that it says is of one moment, the trial's last report: at its end, or, of a trial that is
    not over, as far as it is saved.

    Attributes:
        trial_id: digest of the configuration, 16 hexadecimal digits.
        config: all that decides its numbers: ``dataset``, ``network``, ``ansatz``, ``objective``,
            ``training``, ``device`` and ``seed``.
        error: why it failed; None where it did not.
    """

    def __init__(self, store: Store, config: TrialConfig) -> None:
        self.config = config
        self.trial_id = config.trial_id
        self._folder = f"{store.shown}/{self.trial_id}"
        record = read_record(store, self.trial_id)
        self.error: str | None = None if record.error is None else record.error.message
        self._error_flags = {} if record.error is None else record.error.flags
        self._history = record.history
        self._checkpoint: Checkpoint | None = None
        self._why_no_checkpoint = "it is not there"
        try:
            self._checkpoint = store.checkpoint(self.trial_id)
        except DamagedError as damage:
            self._why_no_checkpoint = damage.why
        self._result = record.result
        if record.result is None and record.error is None:
            self._result = self._stop(store)

    def _stop(self, store: Store) -> TrialResult | None:
        """Where a sweep stopped the trial, unless another one has trained it on since then."""
        stop = furthest_stop(store, self.trial_id)
        if stop is None or (len(self._history) and self._history.steps[-1] != stop.steps):
            return None
        if not len(self._history):
            self._history = read_record(store, self.trial_id, stop=stop).history
        return stop

    def __repr__(self) -> str:
        config = self.config
        what = f"{config.dataset.name} {config.objective.name} seed={config.seed}"
        return f"<Trial {self.trial_id}: {what}, {self.status}>"

    @property
    def status(self) -> Status:
        """``finished``, ``stopped`` early by a sweep, ``failed``, or ``waiting`` if not over."""
        if self._result is not None:
            return self._result.status
        return "waiting" if self.error is None else "failed"

    @property
    def flags(self) -> Mapping[str, int]:
        """Diagnostic flags, each with the step at which it appeared; none before the trial is over.

        A trial that failed has those that it had until then.
        """
        return dict(self._error_flags if self._result is None else self._result.flags)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Final metrics by name; see `qhn.core.metrics` for what they are.

        Raises:
            NotFoundError: if the trial failed, or is not over.
        """
        return dict(self._ended("metrics").metrics)

    @property
    def top_strings(self) -> DataFrame:
        """The most probable outcomes, each of which is a network: one row each, likeliest first.

        Columns: ``bits`` (text of N digits, qubit 0 first; digit 1 is the weight +1 and 0 is −1),
        ``probability``, ``nll`` (mean negative log-likelihood on the training data, in nats),
        ``train_accuracy`` and ``test_accuracy`` of that network alone.

        Raises:
            NotFoundError: if the trial failed, or is not over.
        """
        rows = self._ended("most probable strings").top_strings
        names = dict.fromkeys(name for row in rows for name in row)
        return table_of(rows, names or ("bits", "probability"))

    @property
    def history(self) -> DataFrame:
        """All reports: ``step``, ``time`` (UTC) and each metric; no rows before the first report.

        Where the checkpoint of a trial that is over was lost, its one row is the result.
        """
        import pandas as pd

        history = self._history
        table = table_of([metrics for _, _, metrics in history.items()], history.names)
        table.insert(0, "time", pd.to_datetime(history.timestamps, unit="ms", utc=True))
        table.insert(0, "step", pd.Series(history.steps, dtype="int64"))
        return table

    @property
    def angles(self) -> FloatArray:
        """The circuit's angles in radians, shape ``(depth, 2, N)``: RY ``[:, 0]``, RZ ``[:, 1]``.

        They are those of the last report, at which metrics and most probable strings were taken.

        Raises:
            NotFoundError: if the trial has not begun, or its checkpoint was lost.
        """
        checkpoint = self._checkpoint
        if checkpoint is None or _ANGLES not in checkpoint:
            raise self._no_angles(self._why_no_checkpoint)
        try:
            steps = read_history(checkpoint).steps
            if self._result is not None and steps[-1:] != [self._result.steps]:
                raise InvalidValueError("it is of another step than the result")
            return restored_angles(_ANGLES, checkpoint[_ANGLES], factory.ansatz(self.config))
        except InvalidValueError as error:
            raise self._no_angles(str(error)) from None

    def probabilities(self) -> FloatArray:
        """The exact distribution of the trained circuit, shape ``(2^N,)``, in double precision.

        Entry i is the probability of the outcome whose bits are those of i, qubit 0 the highest:
        ``q[int(bits, 2)]`` is that of the text ``bits``. It is computed anew at each call.

        Raises:
            NotFoundError: as `angles`, or if the training diverged, so that there is none.
        """
        import numpy as np

        from qhn.core.engine.engine import probabilities

        angles = self.angles
        if not np.isfinite(angles).all():
            raise NotFoundError(
                f"trial {self.trial_id} has no distribution, since its training diverged: its "
                "angles are no finite numbers; train with a smaller learning rate, or a smaller λ"
            )
        return probabilities(factory.ansatz(self.config), angles)

    def _ended(self, what: str) -> TrialResult:
        if self._result is not None:
            return self._result
        if self.error is not None:
            reason = self.error.strip().partition("\n")[0]
            raise NotFoundError(
                f"trial {self.trial_id} has no {what}, since it failed: {reason}; once mended, run "
                "its sweep with --retry-failed (in Python: retry_failed=True)"
            )
        raise NotFoundError(
            f"trial {self.trial_id} has no {what} yet, since it is not over; run its sweep, which "
            "goes on where it stopped (its reports so far are in `history`)"
        )

    def _no_angles(self, why: str) -> NotFoundError:
        if self._result is None and not len(self._history):
            return NotFoundError(
                f"trial {self.trial_id} has no angles, since it has made no report yet; "
                "run its sweep"
            )
        return NotFoundError(
            f"the angles of trial {self.trial_id} are in its checkpoint "
            f"{self._folder}/checkpoint.npz, which cannot be used: {why}; remove the folder and "
            "run the trial's sweep, which trains it anew to the same numbers"
        )
