"""Optimisers: gradient descent on the circuit's angles, with a state that can be stored.

`OPTIMISERS` lists them by the names that sweep files use.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.errors import InvalidValueError


class Optimiser(Protocol):
    """An update rule with its memory."""

    def update(self, parameters: FloatArray, gradient: FloatArray) -> None:
        """Move the parameters by one step, in place. Both arrays have the same shape."""

    def state(self) -> ArrayState:
        """Copies of all that the optimiser remembers. They are empty before the first update."""

    def restore(self, state: ArrayState, shape: tuple[int, ...], updates: int) -> None:
        """Continue from what `state` gave.

        Args:
            state: the arrays.
            shape: the shape of the parameters.
            updates: the number of updates that were made before.

        Raises:
            InvalidValueError: if it cannot be such a state of this kind of optimiser. The
                optimiser is unchanged then.
        """


def _check_range(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise InvalidValueError(f"`0 <= {name} < 1` must hold, but got {name}={value}")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InvalidValueError(f"`{name} > 0` and finite must hold, but got {name}={value}")


def _take(
    state: ArrayState, kind: str, shapes: dict[str, tuple[int, ...]], updates: int
) -> dict[str, FloatArray]:
    """Check the arrays of a state, and return copies of them by name.

    An optimiser that has made no update has no arrays.
    """
    # The moments are made at the first update, because only then the shape is known.
    names = tuple(shapes) if updates else ()
    if set(state) != set(names):
        raise InvalidValueError(
            f"the state of {kind} after {updates} updates must hold "
            f"{', '.join(names) or 'nothing'}, but got {', '.join(sorted(state)) or 'nothing'}"
        )
    arrays = {name: np.array(state[name], dtype=np.float64) for name in names}
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise InvalidValueError(
                f"{name} of {kind} must have the shape {shapes[name]}, but got {array.shape}"
            )
    return arrays


class Adam:
    """Adam with bias correction (Kingma and Ba, arXiv 1412.6980, algorithm 1).

    With the gradient g, the update number t from 1 on and the learning rate η:

    m ← β1 m + (1 − β1) g, v ← β2 v + (1 − β2) g²,
    θ ← θ − η · m / (1 − β1^t) / (√(v / (1 − β2^t)) + ε).

    Raises:
        InvalidValueError: if η or ε is not positive and finite, or if β1 or β2 is not in [0, 1).
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        _check_positive("learning_rate", learning_rate)
        _check_range("beta1", beta1)
        _check_range("beta2", beta2)
        _check_positive("epsilon", epsilon)
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self._count = 0
        self._mean: FloatArray | None = None
        self._square: FloatArray | None = None

    def update(self, parameters: FloatArray, gradient: FloatArray) -> None:
        """See `Optimiser.update`."""
        if self._mean is None or self._square is None:
            self._mean, self._square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._count += 1
        self._mean *= self.beta1
        self._mean += (1.0 - self.beta1) * gradient
        self._square *= self.beta2
        self._square += (1.0 - self.beta2) * np.square(gradient)
        mean = self._mean / (1.0 - self.beta1**self._count)
        square = self._square / (1.0 - self.beta2**self._count)
        parameters -= self.learning_rate * mean / (np.sqrt(square) + self.epsilon)

    def state(self) -> ArrayState:
        """Copies of the number of updates and of both moments. Empty before the first update."""
        if self._mean is None or self._square is None:
            return {}
        return {
            "count": np.array(float(self._count)),
            "mean": self._mean.copy(),
            "square": self._square.copy(),
        }

    def restore(self, state: ArrayState, shape: tuple[int, ...], updates: int) -> None:
        """See `Optimiser.restore`."""
        taken = _take(state, "Adam", {"count": (), "mean": shape, "square": shape}, updates)
        if taken and taken["count"] != updates:
            raise InvalidValueError(
                f"count of Adam must be the number of updates, {updates}, but got {taken['count']}"
            )
        self._count, self._mean, self._square = updates, taken.get("mean"), taken.get("square")


class SGD:
    """Gradient descent with heavy-ball momentum: u ← μ u + g, θ ← θ − η u.

    Raises:
        InvalidValueError: if η is not positive and finite, or if μ is not in [0, 1).
    """

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0) -> None:
        _check_positive("learning_rate", learning_rate)
        _check_range("momentum", momentum)
        self.learning_rate = learning_rate
        self.momentum = momentum
        self._velocity: FloatArray | None = None

    def update(self, parameters: FloatArray, gradient: FloatArray) -> None:
        """See `Optimiser.update`."""
        if self._velocity is None:
            self._velocity = np.zeros_like(parameters)
        self._velocity *= self.momentum
        self._velocity += gradient
        parameters -= self.learning_rate * self._velocity

    def state(self) -> ArrayState:
        """A copy of the velocity u. Empty before the first update."""
        return {} if self._velocity is None else {"velocity": self._velocity.copy()}

    def restore(self, state: ArrayState, shape: tuple[int, ...], updates: int) -> None:
        """See `Optimiser.restore`."""
        self._velocity = _take(state, "SGD", {"velocity": shape}, updates).get("velocity")


class FallingSGD:
    """Gradient descent with the falling rate of SPSA: θ ← θ − η / (A + t + 1)^α g at update t.

    Gradients from two circuits are so noisy that a constant rate, at a size that makes progress,
    never comes to rest. α = 0.602 is what Spall recommends for finite samples, and A keeps the
    first moves small. With 256 shots on 6 qubits η = 16 trains well.

    Raises:
        InvalidValueError: if η is not positive and finite.
    """

    stability = 50
    exponent = 0.602

    def __init__(self, learning_rate: float = 16.0) -> None:
        _check_positive("learning_rate", learning_rate)
        self.learning_rate = learning_rate
        self._count = 0

    def update(self, parameters: FloatArray, gradient: FloatArray) -> None:
        """See `Optimiser.update`."""
        self._count += 1
        rate = self.learning_rate / (self.stability + self._count) ** self.exponent
        parameters -= rate * gradient

    def state(self) -> ArrayState:
        """Nothing: the trainer knows the number of updates."""
        return {}

    def restore(self, state: ArrayState, shape: tuple[int, ...], updates: int) -> None:
        """See `Optimiser.restore`."""
        _take(state, "the optimiser spsa", {}, updates)
        self._count = updates


#: Every optimiser by its name. Each can be made from a learning rate alone.
OPTIMISERS: dict[str, type[Adam] | type[SGD] | type[FallingSGD]] = {
    "adam": Adam,
    "sgd": SGD,
    "spsa": FallingSGD,
}
