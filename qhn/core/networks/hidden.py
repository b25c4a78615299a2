"""Binary networks with one hidden layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.core.arrays import BitArray, FloatArray
from qhn.core.checks import check_count
from qhn.core.networks.family import (
    Classes,
    IndexArray,
    LogitFunction,
    as_indices,
    as_points,
    as_weights,
    signed_sums,
    signed_sums_bytes,
    weighted_sums,
)

# Up to this many states of a hidden unit, the activations of all states are kept in one table.
_TABLE_STATES = 2**12
# So many networks are grouped at a time. Grouping then needs less memory than its result.
_GROUPING_BLOCK = 2**16


@dataclass(frozen=True)
class MLP:
    """Networks with one hidden layer of H units and one bit that chooses their activation.

    logit = b2 + Σ_j W2_j · act(Σ_i W1_ij x_i + b1_j), where act is the logistic sigmoid if the last
    bit is 1, and ReLU if it is 0. Layout of the bits: W1 (d × H, row-major), W2 (H), b2 (1), b1
    (H), activation (1), so N = dH + 2H + 2.

    Raises:
        InvalidValueError: if ``n_inputs`` or ``n_hidden`` is not a whole number from 1 on.
    """

    kind: ClassVar[str] = "mlp"
    n_inputs: int
    n_hidden: int

    def __post_init__(self) -> None:
        check_count("n_inputs", self.n_inputs)
        check_count("n_hidden", self.n_hidden)

    @property
    def n_qubits(self) -> int:
        """N = dH + 2H + 2."""
        return self.n_hidden * (self.n_inputs + 2) + 2

    @property
    def n_classes(self) -> int:
        """The number of classes, 4 · C(2^(d+2) + H − 1, H).

        It is the number of multisets of H hidden units (each d + 2 bits), times the two values of
        b2 and of the activation bit.
        """
        return 4 * math.comb(2 ** (self.n_inputs + 2) + self.n_hidden - 1, self.n_hidden)

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.logits`."""
        return self.evaluator(x)(as_indices(indices, self.n_qubits))

    def logits_of_bits(self, bits: BitArray, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.logits_of_bits`."""
        points = as_points(x, self.n_inputs)
        terms = np.vstack([points.T, np.ones(len(points))])
        d, h = self.n_inputs, self.n_hidden
        weights = as_weights(bits, self.n_qubits)
        into = weights[:, : d * h].reshape(-1, d, h)
        out, output_bias = weights[:, d * h : d * h + h], weights[:, d * h + h]
        bias, sigmoid = weights[:, d * h + h + 1 : -1], weights[:, -1] > 0
        total = np.empty((len(weights), len(points)))
        total[:] = output_bias[:, None]
        # One unit after the other, so that the hidden values of all units are never in memory at
        # the same time.
        for unit in range(h):
            hidden = weighted_sums(np.column_stack([into[:, :, unit], bias[:, unit]]), terms)
            _activate(hidden, sigmoid)
            hidden *= out[:, unit, None]
            total += hidden
        return total

    def largest_logits(self, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.largest_logits`: 1 + H · (1 + Σ_i |x_i|)."""
        # A sigmoid is at most 1, which is less than the largest ReLU.
        hidden = 1.0 + np.abs(as_points(x, self.n_inputs)).sum(axis=1)
        bound: FloatArray = 1.0 + self.n_hidden * hidden
        return bound

    def evaluator(self, x: FloatArray) -> LogitFunction:
        """See `BinaryNetwork.evaluator`."""
        points = as_points(x, self.n_inputs)
        # A last input that is always 1 makes the bias b1 a weight like the others.
        sums = signed_sums(np.vstack([points.T, np.ones(len(points))]))

        def activations(states: IndexArray) -> FloatArray:
            """The hidden values of unit states, one row each.

            The bits of a state are a column of W1, b1 and the activation bit.
            """
            hidden = sums(states >> 1)
            _activate(hidden, (states & 1).astype(bool))
            return hidden

        lookup: LogitFunction = activations
        if self._n_states <= _TABLE_STATES:
            table = activations(np.arange(self._n_states))
            lookup = table.__getitem__

        def evaluate(indices: IndexArray) -> FloatArray:
            units, output_bias, activation = self._parts(indices)
            total = np.empty((len(indices), len(points)))
            total[:] = (2.0 * output_bias - 1.0)[:, None]
            for unit in units:
                # The bits of a unit are a column of W1, b1 and W2. Its hidden value does not depend
                # on W2, so the activation bit takes that place.
                hidden = lookup((unit & ~1) | activation)
                hidden *= (2.0 * (unit & 1) - 1.0)[:, None]
                total += hidden
            return total

        return evaluate

    def evaluator_bytes(self, points: int) -> int:
        """See `BinaryNetwork.evaluator_bytes`.

        Counted are the tables of signed sums and, if it is kept, the table of hidden values with
        one temporary of the same size.
        """
        states = self._n_states if self._n_states <= _TABLE_STATES else 0
        return signed_sums_bytes(self.n_inputs + 1, points) + 8 * points * 2 * states

    @property
    def _n_states(self) -> int:
        """The number of states (column of W1, b1, activation bit) that decide a hidden value."""
        return 1 << self.n_inputs + 2

    def classes(self) -> Classes:
        """Hidden units are interchangeable: a class is a multiset of H units, b2 and activation."""
        size = 2**self.n_qubits
        # The representative of a class is the network whose units are in ascending order.
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

    @property
    def classes_bytes(self) -> int:
        """See `BinaryNetwork.classes_bytes`.

        Counted are the canonical index, mark, rank and class of each network, and the units of one
        block with their temporaries.
        """
        grouping = 8 * (self.n_hidden + 6) * min(_GROUPING_BLOCK, 1 << self.n_qubits)
        return (17 << self.n_qubits) + 8 * self.n_classes + grouping

    def _shift(self, position: int) -> int:
        """By how much to shift an index to the right to get the bit at a position (0: highest)."""
        return self.n_qubits - 1 - position

    def _unit_shifts(self, unit: int) -> list[int]:
        """The shifts of the bits of a hidden unit: its column of W1, b1 and W2, highest first."""
        d, h = self.n_inputs, self.n_hidden
        positions = [i * h + unit for i in range(d)] + [d * h + h + 1 + unit, d * h + unit]
        return [self._shift(position) for position in positions]

    def _parts(self, indices: IndexArray) -> tuple[IndexArray, IndexArray, IndexArray]:
        """The units as integers, shape ``(H, m)``, the bit of b2 and the activation bit."""
        units = np.zeros((self.n_hidden, len(indices)), dtype=np.int64)
        for unit in range(self.n_hidden):
            for shift in self._unit_shifts(unit):
                units[unit] = (units[unit] << 1) | ((indices >> shift) & 1)
        bias_shift = self._shift(self.n_inputs * self.n_hidden + self.n_hidden)
        return units, (indices >> bias_shift) & 1, indices & 1

    def _index(
        self, units: IndexArray, output_bias: IndexArray, activation: IndexArray
    ) -> IndexArray:
        """The indices of networks with these parts: the inverse of `_parts`."""
        bias_shift = self._shift(self.n_inputs * self.n_hidden + self.n_hidden)
        index = (output_bias << bias_shift) | activation
        for unit, code in enumerate(units):
            for place, shift in enumerate(reversed(self._unit_shifts(unit))):
                index |= ((code >> place) & 1) << shift
        return index


def _activate(hidden: FloatArray, sigmoid: NDArray[np.bool_]) -> None:
    """Apply the logistic sigmoid to the chosen rows and ReLU to the others, in place."""
    # exp overflows beyond 709. The sigmoid of a number below −700 is smaller than 10^−300, which
    # makes no difference to a logit.
    hidden[sigmoid] = 1.0 / (1.0 + np.exp(-np.clip(hidden[sigmoid], -700.0, None)))
    hidden[~sigmoid] = np.maximum(hidden[~sigmoid], 0.0)
