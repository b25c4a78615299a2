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

# Hidden activations of all unit states are kept in one table up to this many states.
_TABLE_STATES = 2**12
# Networks grouped at a time: grouping then needs less memory than the tables made from it.
_GROUPING_BLOCK = 2**16


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
        check_count("n_inputs", self.n_inputs)
        check_count("n_hidden", self.n_hidden)

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
        # Unit by unit, so that the hidden values of all units are never there at once.
        for unit in range(h):
            hidden = weighted_sums(np.column_stack([into[:, :, unit], bias[:, unit]]), terms)
            _activate(hidden, sigmoid)
            hidden *= out[:, unit, None]
            total += hidden
        return total

    def evaluator(self, x: FloatArray) -> LogitFunction:
        """The function from indices to logits at the points x."""
        points = as_points(x, self.n_inputs)
        sums = signed_sums(np.vstack([points.T, np.ones(len(points))]))

        def activations(states: IndexArray) -> FloatArray:
            """Hidden values of unit states (W1 column, b1, activation bit), one row each."""
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
                # A unit is (W1 column, b1, W2); its hidden value depends on all but W2.
                hidden = lookup((unit & ~1) | activation)
                hidden *= (2.0 * (unit & 1) - 1.0)[:, None]
                total += hidden
            return total

        return evaluate

    def evaluator_bytes(self, points: int) -> int:
        """Tables of signed sums, and where they are kept, of hidden values beside a temporary."""
        states = self._n_states if self._n_states <= _TABLE_STATES else 0
        return signed_sums_bytes(self.n_inputs + 1, points) + 8 * points * 2 * states

    @property
    def _n_states(self) -> int:
        """States of a hidden unit on which its value depends, with the activation bit."""
        return 1 << self.n_inputs + 2

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

    @property
    def classes_bytes(self) -> int:
        """Index, mark, rank and class of each network; the units of a block, with temporaries."""
        grouping = 8 * (self.n_hidden + 6) * min(_GROUPING_BLOCK, 1 << self.n_qubits)
        return (17 << self.n_qubits) + 8 * self.n_classes + grouping

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


def _activate(hidden: FloatArray, sigmoid: NDArray[np.bool_]) -> None:
    """The logistic sigmoid on the chosen rows and ReLU on the others, in place."""
    # exp overflows beyond 709, where the sigmoid is 0 to the last bit that counts.
    hidden[sigmoid] = 1.0 / (1.0 + np.exp(-np.clip(hidden[sigmoid], -700.0, None)))
    hidden[~sigmoid] = np.maximum(hidden[~sigmoid], 0.0)
