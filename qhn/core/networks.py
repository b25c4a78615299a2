"""Binary networks: every weight is −1 or +1, so a bit string of N outcomes is a whole network.

A network reads the bits σ of a basis-state index as weights w = 2σ − 1 (see `qhn.core.bits`) and
gives a logit for each input; label 1 if the logit is positive. Layouts are those of the published
code of arXiv 2301.08292.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.core.errors import InvalidValueError

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]
Evaluator = Callable[[IndexArray], FloatArray]

# Hidden activations of all unit states are kept in one table up to this many states.
_TABLE_STATES = 2**12
# Networks grouped at a time: grouping then needs less memory than the tables made from it.
_GROUPING_BLOCK = 2**16


class Classes(NamedTuple):
    """Networks grouped by a symmetry under which their function is the same.

    Attributes:
        representatives: one index per class, ascending, shape ``(C,)``.
        class_of: the class of each of the 2^N networks, shape ``(2^N,)``, int32.
    """

    representatives: IndexArray
    class_of: NDArray[np.int32]


class BinaryNetwork(Protocol):
    """What tables and metrics need to know of a family of binary networks."""

    kind: ClassVar[str]

    @property
    def n_inputs(self) -> int:
        """Number of input features d."""

    @property
    def n_qubits(self) -> int:
        """Number of binary parameters N, one qubit each."""

    @property
    def n_classes(self) -> int:
        """How many classes `classes` gives, computed without making them."""

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """Logits of the networks ``indices`` at the points ``x``: shape ``(len(indices), n)``."""

    def evaluator(self, x: FloatArray) -> Evaluator:
        """The function from indices to logits at fixed points; what they share is computed once."""

    def classes(self) -> Classes:
        """All 2^N networks, grouped by permutation of interchangeable parts."""


def _check_inputs(n_inputs: int) -> None:
    if n_inputs < 1:
        raise InvalidValueError(f"`n_inputs >= 1` must hold, but got n_inputs={n_inputs}")


def _as_points(x: ArrayLike, n_inputs: int) -> FloatArray:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != n_inputs:
        raise InvalidValueError(
            f"x must have the shape (points, {n_inputs}) for a network of {n_inputs} inputs, "
            f"but got {points.shape}"
        )
    return points


def _as_indices(indices: ArrayLike, n_qubits: int) -> IndexArray:
    array = np.atleast_1d(np.asarray(indices))
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise InvalidValueError(
            f"indices must be a one-dimensional array of integers, "
            f"but got shape {array.shape} of {array.dtype}"
        )
    if array.size and (array.min() < 0 or array.max() >= 2**n_qubits):
        raise InvalidValueError(
            f"`0 <= index < 2**{n_qubits}` must hold for a network of {n_qubits} bits, "
            f"but got indices from {array.min()} to {array.max()}"
        )
    return array.astype(np.int64, copy=False)


def _signed_sums(terms: FloatArray) -> Evaluator:
    """All Σ_i ±terms[i], addressed by the signs as an integer (first term: highest bit, 1 is +).

    The terms are cut into two halves whose sums are tabulated, so that a sum costs one addition.

    Args:
        terms: shape ``(bits, points)``.

    Returns:
        A function from codes, shape ``(m,)``, to sums, shape ``(m, points)``.
    """

    def table(part: FloatArray) -> FloatArray:
        sums = np.zeros((1, part.shape[1]))
        for term in part:
            sums = np.stack([sums - term, sums + term], axis=1).reshape(-1, part.shape[1])
        return sums

    low_bits = (len(terms) + 1) // 2
    cut = len(terms) - low_bits
    high, low = table(terms[:cut]), table(terms[cut:])

    def sums(codes: IndexArray) -> FloatArray:
        total: FloatArray = high[codes >> low_bits]
        total += low[codes & (2**low_bits - 1)]
        return total

    return sums


@dataclass(frozen=True)
class Logistic:
    """Binary logistic regression: logit = Σ_i W_i x_i + b, layout W (d), b (1), N = d + 1."""

    kind: ClassVar[str] = "logistic"
    n_inputs: int

    def __post_init__(self) -> None:
        _check_inputs(self.n_inputs)

    @property
    def n_qubits(self) -> int:
        """``d + 1``."""
        return self.n_inputs + 1

    @property
    def n_classes(self) -> int:
        """``2^N``: no two weight settings are interchangeable."""
        return 1 << self.n_qubits

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """Logits, shape ``(len(indices), len(x))``."""
        return self.evaluator(x)(_as_indices(indices, self.n_qubits))

    def evaluator(self, x: FloatArray) -> Evaluator:
        """The function from indices to logits at the points x."""
        points = _as_points(x, self.n_inputs)
        return _signed_sums(np.vstack([points.T, np.ones(len(points))]))

    def classes(self) -> Classes:
        """No two weight settings are interchangeable: every network is a class of its own."""
        every = np.arange(2**self.n_qubits)
        return Classes(every, every.astype(np.int32))


@dataclass(frozen=True)
class MLP:
    """One hidden layer of H units, and one bit that chooses their activation.

    logit = b2 + Σ_j W2_j · act(Σ_i W1_ij x_i + b1_j), act the logistic sigmoid (bit 1) or ReLU
    (bit 0). Layout: W1 (d × H, row-major), W2 (H), b2 (1), b1 (H), activation (1), so
    N = dH + 2H + 2.
    """

    kind: ClassVar[str] = "mlp"
    n_inputs: int
    n_hidden: int

    def __post_init__(self) -> None:
        _check_inputs(self.n_inputs)
        if self.n_hidden < 1:
            raise InvalidValueError(f"`n_hidden >= 1` must hold, but got n_hidden={self.n_hidden}")

    @property
    def n_qubits(self) -> int:
        """``dH + 2H + 2``."""
        return self.n_hidden * (self.n_inputs + 2) + 2

    @property
    def n_classes(self) -> int:
        """``4 · C(2^(d+2) + H − 1, H)``: multisets of H hidden units, b2 and activation."""
        return 4 * math.comb(2 ** (self.n_inputs + 2) + self.n_hidden - 1, self.n_hidden)

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """Logits, shape ``(len(indices), len(x))``."""
        return self.evaluator(x)(_as_indices(indices, self.n_qubits))

    def evaluator(self, x: FloatArray) -> Evaluator:
        """The function from indices to logits at the points x."""
        points = _as_points(x, self.n_inputs)
        sums = _signed_sums(np.vstack([points.T, np.ones(len(points))]))

        def activations(states: IndexArray) -> FloatArray:
            """Hidden values of unit states (W1 column, b1, activation bit), one row each."""
            hidden = sums(states >> 1)
            sigmoid = (states & 1).astype(bool)
            hidden[sigmoid] = 1.0 / (1.0 + np.exp(-np.clip(hidden[sigmoid], -700.0, None)))
            hidden[~sigmoid] = np.maximum(hidden[~sigmoid], 0.0)
            return hidden

        n_states = 2 ** (self.n_inputs + 2)
        lookup: Evaluator = activations
        if n_states <= _TABLE_STATES:
            table = activations(np.arange(n_states))
            lookup = table.__getitem__

        def evaluate(indices: IndexArray) -> FloatArray:
            units, output_bias, activation = self._parts(indices)
            total = np.empty((len(indices), len(points)))
            total[:] = (2.0 * output_bias - 1.0)[:, None]
            for unit in units:
                # A unit is (W1 column, b1, W2); its hidden value depends on all but W2.
                hidden = lookup((unit & ~1) | activation)
                hidden *= (2.0 * (unit & 1) - 1.0)[:, None]
                total += hidden
            return total

        return evaluate

    def classes(self) -> Classes:
        """Hidden units are interchangeable: a class is a multiset of H units, b2 and activation."""
        size = 2**self.n_qubits
        canonical = np.empty(size, dtype=np.int64)
        chosen = np.empty(size, dtype=bool)
        for start in range(0, size, _GROUPING_BLOCK):
            every = np.arange(start, min(start + _GROUPING_BLOCK, size))
            units, output_bias, activation = self._parts(every)
            units.sort(axis=0)
            block = slice(start, start + len(every))
            canonical[block] = self._index(units, output_bias, activation)
            chosen[block] = canonical[block] == every
        rank = np.cumsum(chosen, dtype=np.int32)
        rank -= 1
        return Classes(np.flatnonzero(chosen), rank[canonical])

    def _shift(self, position: int) -> int:
        return self.n_qubits - 1 - position

    def _unit_shifts(self, unit: int) -> list[int]:
        """Where the bits of a hidden unit lie: its W1 column, b1 and W2, highest bit first."""
        d, h = self.n_inputs, self.n_hidden
        positions = [i * h + unit for i in range(d)] + [d * h + h + 1 + unit, d * h + unit]
        return [self._shift(position) for position in positions]

    def _parts(self, indices: IndexArray) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Units as integers, shape ``(H, m)``, the output bias bit and the activation bit."""
        units = np.zeros((self.n_hidden, len(indices)), dtype=np.int64)
        for unit in range(self.n_hidden):
            for shift in self._unit_shifts(unit):
                units[unit] = (units[unit] << 1) | ((indices >> shift) & 1)
        bias_shift = self._shift(self.n_inputs * self.n_hidden + self.n_hidden)
        return units, (indices >> bias_shift) & 1, indices & 1

    def _index(
        self, units: IndexArray, output_bias: IndexArray, activation: IndexArray
    ) -> IndexArray:
        bias_shift = self._shift(self.n_inputs * self.n_hidden + self.n_hidden)
        index = (output_bias << bias_shift) | activation
        for unit, code in enumerate(units):
            for place, shift in enumerate(reversed(self._unit_shifts(unit))):
                index |= ((code >> place) & 1) << shift
        return index


def logistic(n_inputs: int) -> Logistic:
    """Binary logistic regression on ``n_inputs`` features, N = n_inputs + 1.

    Example:
        >>> logistic(16).n_qubits
        17
    """
    return Logistic(n_inputs)


def mlp(n_inputs: int, n_hidden: int) -> MLP:
    """A one-hidden-layer binary network, N = n_inputs · n_hidden + 2 · n_hidden + 2.

    Example:
        >>> mlp(n_inputs=2, n_hidden=3).n_qubits
        14
    """
    return MLP(n_inputs, n_hidden)
