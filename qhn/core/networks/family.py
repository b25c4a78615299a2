"""What every family of binary networks gives, and what the families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.core.arrays import BitArray, FloatArray, IntArray
from qhn.core.errors import InvalidValueError

#: Basis-state indices: each is one network.
IndexArray = IntArray
LogitFunction = Callable[[IndexArray], FloatArray]


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

    def logits_of_bits(self, bits: BitArray, x: FloatArray) -> FloatArray:
        """Logits of the networks ``bits``, shape ``(S, N)``, at the points ``x``: ``(S, n)``.

        For networks of any size: a string of more than 63 bits has no index.
        """

    def evaluator(self, x: FloatArray) -> LogitFunction:
        """The function from indices to logits at fixed points; what they share is computed once."""

    def evaluator_bytes(self, points: int) -> int:
        """Memory that `evaluator` takes at most while it is made, in bytes."""

    def classes(self) -> Classes:
        """All 2^N networks, grouped by permutation of interchangeable parts."""

    @property
    def classes_bytes(self) -> int:
        """Memory that `classes` takes at most, in bytes."""


def as_points(x: ArrayLike, n_inputs: int) -> FloatArray:
    """The points as floats, shape ``(points, n_inputs)``; another shape is refused."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != n_inputs:
        raise InvalidValueError(
            f"x must have the shape (points, {n_inputs}) for a network of {n_inputs} inputs, "
            f"but got {points.shape}"
        )
    return points


def as_indices(indices: ArrayLike, n_qubits: int) -> IndexArray:
    """Indices as int64, one-dimensional and in [0, 2^N); others are refused."""
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


def as_weights(bits: ArrayLike, n_qubits: int) -> FloatArray:
    """The weights 2σ − 1 of bit strings σ, shape ``(S, N)``; another shape or value is refused."""
    array = np.asarray(bits)
    if array.ndim != 2 or array.shape[1] != n_qubits or array.dtype.kind not in "ui":
        raise InvalidValueError(
            f"bits must be integers of the shape (strings, {n_qubits}) for a network of "
            f"{n_qubits} bits, but got {array.dtype} of the shape {array.shape}"
        )
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise InvalidValueError(f"bits must be 0 or 1, but got {wrong[0]}")
    return 2.0 * array - 1.0


def weighted_sums(weights: FloatArray, terms: FloatArray) -> FloatArray:
    """Σ_i weights[s, i] · terms[i, p], shape ``(strings, points)``.

    Without BLAS, whose order of additions, and with it the last digits, depends on the number of
    threads and on how many strings are asked for at once.
    """
    total = np.zeros((len(weights), terms.shape[1]))
    for weight, term in zip(weights.T, terms, strict=True):
        total += weight[:, None] * term
    return total


def signed_sums(terms: FloatArray) -> LogitFunction:
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

    low_bits = _low_bits(len(terms))
    cut = len(terms) - low_bits
    high, low = table(terms[:cut]), table(terms[cut:])

    def sums(codes: IndexArray) -> FloatArray:
        total: FloatArray = high[codes >> low_bits]
        total += low[codes & (2**low_bits - 1)]
        return total

    return sums


def signed_sums_bytes(bits: int, points: int) -> int:
    """Memory that `signed_sums` takes at most, its terms included, in bytes."""
    low_bits = _low_bits(bits)
    # While the last table is doubled, two and a half times its size.
    rows = (1 << bits - low_bits) + (3 << low_bits)
    return 8 * points * (rows + bits + 1)


def _low_bits(bits: int) -> int:
    return (bits + 1) // 2
