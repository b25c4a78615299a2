"""Loads a trial from the store: its configuration, its results, and its trained circuit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qhn.api.finding import find_trial
from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError, NotFoundError
from qhn.core.estimators.angles import restored_angles
from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.results.table import Status, table_of
from qhn.sweeps.store import Store, TrialResult, open_store, read_history, read_record
from qhn.sweeps.store.opening import default_store
from qhn.sweeps.store.record import add_result
from qhn.sweeps.store.stops import furthest_stop

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas import DataFrame

    from qhn.core.evaluation.stored_posterior import StoredPosterior

_ANGLES = "reported_parameters"


def load_trial(trial_id: str, store: str | os.PathLike[str] | None = None) -> Trial:
    """Load a trial from a store.

    Everything is read now, so what is written to the store later does not change the object.

    Args:
        trial_id: the id, 16 hexadecimal digits as in `qhn.results`. The first six or more digits
            are enough if only one trial's id begins with them.
        store: the folder of the store; None for the one that ``QHN_STORE`` names, else ``~/.qhn``.

    Raises:
        NotFoundError: if the store has no such trial, and none of its sweeps plans one.
        InvalidValueError: if this cannot be an id, or if several ids begin with it.
        StoreError: if the store cannot be read.
    """
    opened = open_store(default_store() if store is None else os.fspath(store))
    return Trial(opened, find_trial(opened, trial_id))


class Trial:
    """One trial of a store. `load_trial` returns it.

    All its numbers belong to the same moment: the last report of the trial. If the trial has not
    ended, that is the last report that was saved.

    Attributes:
        trial_id: the id, a digest of the configuration in 16 hexadecimal digits.
        config: everything that its numbers depend on: ``dataset``, ``network``, ``ansatz``,
            ``objective``, ``training``, ``device`` and ``seed``.
        error: the message of its error; None if it has not failed.
    """

    def __init__(self, store: Store, config: TrialConfig) -> None:
        self.config = config
        self.trial_id = config.trial_id
        self._folder = f"{store.shown}/{self.trial_id}"
        record = read_record(store, self.trial_id)
        self.error: str | None = None if record.error is None else record.error.message
        self._error_flags = {} if record.error is None else record.error.flags
        self._history = record.history
        # Read together with the history. If the trial is running, a checkpoint that was read a
        # moment later could have other angles than those of the last report.
        self._checkpoint = record.checkpoint
        damage = record.damage
        self._why_no_checkpoint = "it is not there" if damage is None else damage.why
        self._result = record.result
        if record.result is None and record.error is None:
            self._result = self._stop(store)

    def _stop(self, store: Store) -> TrialResult | None:
        """The result with which a sweep stopped the trial early, if it was not trained further."""
        stop = furthest_stop(store, self.trial_id)
        if stop is None or (len(self._history) and self._history.steps[-1] != stop.steps):
            return None
        if not len(self._history):
            add_result(self._history, stop)
        return stop

    def __repr__(self) -> str:
        config = self.config
        what = f"{config.dataset.name} {config.objective.name} seed={config.seed}"
        return f"<Trial {self.trial_id}: {what}, {self.status}>"

    @property
    def status(self) -> Status:
        """``finished``, ``stopped`` (early, by a sweep), ``failed``, or ``waiting``."""
        if self._result is not None:
            return self._result.status
        return "waiting" if self.error is None else "failed"

    @property
    def flags(self) -> Mapping[str, int]:
        """The diagnostic flags, each with the step at which it appeared.

        A trial that has not ended has none. A trial that failed has the flags that appeared before.
        """
        return dict(self._error_flags if self._result is None else self._result.flags)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The final metrics by name. `qhn.core.metrics` explains them.

        Raises:
            NotFoundError: if the trial has failed, or has not ended.
        """
        return dict(self._ended("metrics").metrics)

    @property
    def top_strings(self) -> DataFrame:
        """A pandas table of the ten most probable outcomes, each of which is a network.

        The most probable one comes first. The columns are ``bits`` (text of N digits with qubit 0
        first, where 1 means the weight +1 and 0 means −1), ``probability``, ``nll`` (the mean
        negative log-likelihood of the training data in nats), ``train_accuracy`` and
        ``test_accuracy`` (of this network alone).

        Raises:
            NotFoundError: if the trial has failed, or has not ended.
        """
        rows = self._ended("most probable strings").top_strings
        names = dict.fromkeys(name for row in rows for name in row)
        return table_of(rows, names or ("bits", "probability"))

    @property
    def history(self) -> DataFrame:
        """A pandas table with one row for each report, in the order of the steps.

        The columns are ``step``, ``time`` (in UTC) and the metrics under their names. Before the
        first report there are no rows. If the trial has ended and its checkpoint was lost, the only
        row is the last report, which is in the result.
        """
        import pandas as pd

        history = self._history
        table = table_of([metrics for _, _, metrics in history.items()], history.names)
        table.insert(0, "time", pd.to_datetime(history.timestamps, unit="ms", utc=True))
        table.insert(0, "step", pd.Series(history.steps, dtype="int64"))
        return table

    @property
    def angles(self) -> FloatArray:
        """The angles of the circuit at the last report, in radians, shape ``(depth, 2, N)``.

        ``angles[:, 0]`` are those of the RY gates, and ``angles[:, 1]`` those of the RZ gates.

        Raises:
            NotFoundError: if the trial has made no report yet, or if its checkpoint was lost or
                cannot be used.
        """
        checkpoint = self._checkpoint
        if checkpoint is None or _ANGLES not in checkpoint:
            raise self._no_angles(self._why_no_checkpoint)
        try:
            # Another sweep may have trained the trial further since it was stopped. Angles of a
            # later step would not belong to the metrics of the result.
            steps = read_history(checkpoint).steps
            if self._result is not None and steps[-1:] != [self._result.steps]:
                raise InvalidValueError("it is of another step than the result")
            return restored_angles(_ANGLES, checkpoint[_ANGLES], factory.ansatz(self.config))
        except InvalidValueError as error:
            raise self._no_angles(str(error)) from None

    def probabilities(self) -> FloatArray:
        """The exact distribution q of the trained circuit, shape ``(2^N,)``, in double precision.

        The bits of the index are the outcome, and qubit 0 is the highest bit: ``q[int(bits, 2)]``
        is the probability of the outcome with the text ``bits``. The distribution is computed at
        each call. That of a control which searches networks is the one that it has found.

        Raises:
            NotFoundError: if `angles` raises it, or if the training diverged, so that the angles
                are not finite.
        """
        import numpy as np

        from qhn.core.engine.engine import probabilities
        from qhn.sweeps.results.posteriors import point_mass

        if self.config.searches_networks:
            found = point_mass(self._ended("distribution"), self.config.n_qubits)
            assert found is not None  # a control always ends with a network
            return found
        angles = self.angles
        if not np.isfinite(angles).all():
            raise NotFoundError(
                f"trial {self.trial_id} has no distribution, since its training diverged: its "
                "angles are no finite numbers; train with a smaller learning rate, or a smaller λ"
            )
        return probabilities(factory.ansatz(self.config), angles)

    def posterior(self) -> StoredPosterior:
        """The trained distribution over networks, which predicts without the circuit.

        ``posterior().to_json()`` keeps it as text. Networks that have together less than a
        millionth of the probability are left out.

        Raises:
            NotFoundError: if the trial has failed or has not ended, or if `probabilities` raises
                it.
            InvalidValueError: if the circuit has more than 20 qubits, so that the distribution is
                not enumerated.
        """
        from qhn.core.evaluation.stored_posterior import StoredPosterior

        config = self.config
        # The angles of the last report would do, but nobody could tell that the training went on.
        self._ended("posterior")
        if config.n_qubits > MAX_TABLE_QUBITS:
            raise InvalidValueError(
                f"the posterior of a trial is enumerated on at most {MAX_TABLE_QUBITS} qubits, but "
                f"trial {self.trial_id} has {config.n_qubits}; take a smaller network"
            )
        return StoredPosterior.of(
            self.probabilities(), config.dataset.n_inputs, config.network.hidden
        )

    def predict(self, x: ArrayLike) -> DataFrame:
        """The posterior predictive distribution of the label at new points, as a pandas table.

        The columns are ``probability`` (of label 1, averaged over networks drawn from q),
        ``label``, ``deviation`` (the standard deviation of this probability over networks), and in
        nats ``entropy`` (the total uncertainty), ``aleatoric`` (what would be left if the network
        was known) and ``epistemic`` (how much the networks disagree).

        Args:
            x: points of shape ``(n, d)``.

        Raises:
            NotFoundError: if `posterior` raises it.
            InvalidValueError: if points have another shape or are not finite, or if the circuit has
                more than 20 qubits.
        """
        import numpy as np

        from qhn.sweeps.results.predictions import prediction_table

        return prediction_table(self.posterior().predict(np.asarray(x, dtype=np.float64)))

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
