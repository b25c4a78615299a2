"""The protocol of all families of binary networks, and the functions that the families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.core.arrays import BitArray, FloatArray, IntArray
from qhn.core.errors import InvalidValueError

#: Basis-state indices, each of which is one network.
IndexArray = IntArray
LogitFunction = Callable[[IndexArray], FloatArray]


class Classes(NamedTuple):
    """All networks of a family, grouped into classes that compute the same function by symmetry.

    Attributes:
        representatives: the index of one network of each class, ascending, shape ``(C,)``.
        class_of: the number of the class of each of the 2^N networks, shape ``(2^N,)``, int32.
    """

    representatives: IndexArray
    class_of: NDArray[np.int32]


class BinaryNetwork(Protocol):
    """What loss tables and metrics need to know about a family of binary networks."""

    kind: ClassVar[str]

    @property
    def n_inputs(self) -> int:
        """Number of input features d."""

    @property
    def n_qubits(self) -> int:
        """Number of binary parameters N. Each of them is one qubit."""

    @property
    def n_classes(self) -> int:
        """The number of classes that `classes` gives, computed without making them."""

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """The logits of networks at points.

        Args:
            indices: basis-state indices of the networks, shape ``(m,)``.
            x: points, shape ``(n, d)``.

        Returns:
            Logits, shape ``(m, n)``.

        Raises:
            InvalidValueError: if an index is out of range, or the shape of an array is wrong.
        """

    def logits_of_bits(self, bits: BitArray, x: FloatArray) -> FloatArray:
        """The logits of networks that are given as bit strings, for networks of any size.

        A string of more than 63 bits has no index that fits into an integer.

        Args:
            bits: one network per row, shape ``(S, N)``, with the values 0 and 1.
            x: points, shape ``(n, d)``.

        Returns:
            Logits, shape ``(S, n)``.

        Raises:
            InvalidValueError: if an array has another shape, or if a bit is not 0 or 1.
        """

    def largest_logits(self, x: FloatArray) -> FloatArray:
        """A bound at each point, shape ``(n,)``, on the absolute logits of all 2^N networks.

        Args:
            x: points, shape ``(n, d)``.

        Raises:
            InvalidValueError: if the points have another shape.
        """

    def evaluator(self, x: FloatArray) -> LogitFunction:
        """A function from indices to logits at the points ``x``, shape ``(n, d)``.

        It computes once what many networks have in common. It does not check its indices.
        """

    def evaluator_bytes(self, points: int) -> int:
        """The most memory that `evaluator` takes while it is made, in bytes."""

    def classes(self) -> Classes:
        """All 2^N networks in classes, whose members differ by a permutation of equal parts."""

    @property
    def classes_bytes(self) -> int:
        """The most memory that `classes` takes, in bytes."""


def as_points(x: ArrayLike, n_inputs: int) -> FloatArray:
    """The points as floats, shape ``(points, n_inputs)``.

    Raises:
        InvalidValueError: if they have another shape.
    """
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != n_inputs:
        raise InvalidValueError(
            f"x must have the shape (points, {n_inputs}) for a network of {n_inputs} inputs, "
            f"but got {points.shape}"
        )
    return points


def as_indices(indices: ArrayLike, n_qubits: int) -> IndexArray:
    """Indices in [0, 2^N) as a one-dimensional array of int64.

    Raises:
        InvalidValueError: if an index is no integer or out of range, or the shape is another one.
    """
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
    """The weights 2σ − 1 of bit strings σ, shape ``(S, N)``.

    Raises:
        InvalidValueError: if the bits have another shape, or are not the integers 0 and 1.
    """
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
    """The sums Σ_i weights[s, i] · terms[i, p], shape ``(strings, points)``."""
    # This is a matrix product, but BLAS must not compute it: the order of its additions depends on
    # the number of threads and on the number of strings, and with it the last digits of the result.
    total = np.zeros((len(weights), terms.shape[1]))
    for weight, term in zip(weights.T, terms, strict=True):
        total += weight[:, None] * term
    return total


def signed_sums(terms: FloatArray) -> LogitFunction:
    """All sums Σ_i ±terms[i], each of which is addressed by its signs.

    The signs are the bits of an integer, the code of a sum. The first term has the highest bit, and
    a bit of 1 is a plus. All sums of the first half of the terms are tabulated, and all sums of the
    second half, so that every sum costs one addition.

    Args:
        terms: shape ``(bits, points)``.

    Returns:
        A function from codes, shape ``(m,)``, to sums, shape ``(m, points)``.
    """

    def table(part: FloatArray) -> FloatArray:
        # Each further term doubles the table. Its bit becomes the lowest one of the row number.
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
    """The most memory that `signed_sums` takes, its terms included, in bytes."""
    low_bits = _low_bits(bits)
    # While the second table is doubled for the last time, its old and new versions and the sums
    # that become the new one are there: less than three times its final size.
    rows = (1 << bits - low_bits) + (3 << low_bits)
    return 8 * points * (rows + bits + 1)


def _low_bits(bits: int) -> int:
    return (bits + 1) // 2
