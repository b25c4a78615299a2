"""What every contender offers, so that one loop can time them all and one trainer can use them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine

FloatArray = NDArray[np.float64]


def is_fixed(observable: FloatArray, before: FloatArray | None) -> bool:
    """Whether it is the observable of before: MLE's is read-only, the others change in place."""
    return observable is before and not observable.flags.writeable


class Contender(Protocol):
    """One way to simulate one circuit; also a distribution that `Trainer` can train."""

    name: str

    def fix_observable(self, observable: FloatArray) -> None:
        """Prepare a dense diagonal observable, outside the timed part."""

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """Σ O(σ) q_θ(σ) and its gradient for the fixed observable."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ, shape ``(2^N,)``."""

    def gradient(self, observable: FloatArray) -> FloatArray:
        """Gradient for a new observable at the last parameters of `probabilities`."""


class ThisEngine:
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
