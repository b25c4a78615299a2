"""The trained distributions of trials, computed anew from the angles in their checkpoints."""

from __future__ import annotations

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.engine.engine import Engine
from qhn.core.errors import DamagedError, InvalidValueError
from qhn.core.estimators.angles import restored_angles
from qhn.sweeps.config import factory
from qhn.sweeps.results.table import Row
from qhn.sweeps.store import Store, TrialResult, read_history

#: The checkpoint's name for the angles to which the last report belongs.
ANGLES = "reported_parameters"


def point_mass(result: TrialResult, n_qubits: int) -> FloatArray | None:
    """The distribution of a control that ends with one network; None if it has none."""
    if not result.top_strings:
        return None
    q = np.zeros(2**n_qubits)
    q[int(str(result.top_strings[0]["bits"]), 2)] = 1.0
    return q


class Posteriors:
    """Computes the distribution q of the circuit of finished trials, on the exact engine.

    It is that of the circuit without noise and without sampling, whatever device has trained it.

    Args:
        store: where trials are kept.
        most_qubits: the largest circuit that is simulated. Larger ones have no distribution here.
    """

    def __init__(self, store: Store, most_qubits: int = 16) -> None:
        self._store = store
        self._most_qubits = most_qubits
        self._engines: dict[object, Engine] = {}

    def of(self, row: Row) -> FloatArray | None:
        """The distribution of a trial at its last report, shape ``(2^N,)``.

        Returns:
            A read-only view, which the next call overwrites for circuits of the same kind. None if
            the trial has no result, if its circuit is too large, or if its checkpoint is lost,
            damaged or of a later step.

        Raises:
            StoreError: if the store cannot be read.
        """
        config, result = row.trial.config, row.result
        if result is None or config.n_qubits > self._most_qubits:
            return None
        if config.searches_networks:
            return point_mass(result, config.n_qubits)
        try:
            checkpoint = self._store.checkpoint(row.trial.trial_id)
            if checkpoint is None or ANGLES not in checkpoint:
                return None
            # Another sweep may have trained the trial further since this one has stopped it.
            if read_history(checkpoint).steps[-1:] != [result.steps]:
                return None
            ansatz = factory.ansatz(config)
            angles = restored_angles(ANGLES, checkpoint[ANGLES], ansatz)
        except (DamagedError, InvalidValueError):
            return None
        if not np.isfinite(angles).all():
            return None
        if ansatz not in self._engines:
            self._engines[ansatz] = Engine(ansatz)
        return self._engines[ansatz].probabilities(angles)
