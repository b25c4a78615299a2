"""The interface of all contenders, so that one loop can time them and one trainer can use them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine

FloatArray = NDArray[np.float64]


def is_fixed(observable: FloatArray, before: FloatArray | None) -> bool:
    """Whether an observable is certainly the same as before.

    The observable of MLE is a read-only array. Those of the other objectives are arrays that the
    trainer changes in place, so the same array can have another content.
    """
    return observable is before and not observable.flags.writeable


class Contender(Protocol):
    """One way to simulate a circuit. `Trainer` can use it as its distribution."""

    name: str

    def fix_observable(self, observable: FloatArray) -> None:
        """Prepare a dense diagonal observable, shape ``(2^N,)``. This is not timed."""

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """Σ O(σ) q_θ(σ) and its gradient, shape ``(depth, 2, N)``, for the prepared observable."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """The distribution q_θ, shape ``(2^N,)``."""

    def gradient(self, observable: FloatArray) -> FloatArray:
        """The gradient for another observable, at the last parameters of `probabilities`."""


class ThisEngine:
    """The engine of qhn."""

    name = "qhn engine"

    def __init__(self, ansatz: Ansatz) -> None:
        self._engine = Engine(ansatz)

    def fix_observable(self, observable: FloatArray) -> None:
        self._observable = observable

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        value = float(self._engine.probabilities(parameters) @ self._observable)
        return value, self._engine.gradient(self._observable)

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        return self._engine.probabilities(parameters)

    def gradient(self, observable: FloatArray) -> FloatArray:
        return self._engine.gradient(observable)
