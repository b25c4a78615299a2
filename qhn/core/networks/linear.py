"""Binary logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from qhn.core.arrays import BitArray, FloatArray
from qhn.core.checks import check_count
from qhn.core.networks.family import (
    Classes,
    LogitFunction,
    as_indices,
    as_points,
    as_weights,
    signed_sums,
    signed_sums_bytes,
    weighted_sums,
)


@dataclass(frozen=True)
class Logistic:
    """Binary logistic regression: logit = Σ_i W_i x_i + b, with N = d + 1.

    Layout of the bits: W (d), b (1).

    Raises:
        InvalidValueError: if ``n_inputs`` is not a whole number from 1 on.
    """

    kind: ClassVar[str] = "logistic"
    n_inputs: int

    def __post_init__(self) -> None:
        check_count("n_inputs", self.n_inputs)

    @property
    def n_qubits(self) -> int:
        """N = d + 1."""
        return self.n_inputs + 1

    @property
    def n_classes(self) -> int:
        """2^N, since each network is a class of its own."""
        return 1 << self.n_qubits

    def logits(self, indices: ArrayLike, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.logits`."""
        return self.evaluator(x)(as_indices(indices, self.n_qubits))

    def logits_of_bits(self, bits: BitArray, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.logits_of_bits`."""
        points = as_points(x, self.n_inputs)
        # A last input that is always 1 makes the bias a weight like the others.
        terms = np.vstack([points.T, np.ones(len(points))])
        return weighted_sums(as_weights(bits, self.n_qubits), terms)

    def largest_logits(self, x: FloatArray) -> FloatArray:
        """See `BinaryNetwork.largest_logits`: 1 + Σ_i |x_i|, which one network reaches."""
        bound: FloatArray = 1.0 + np.abs(as_points(x, self.n_inputs)).sum(axis=1)
        return bound

    def evaluator(self, x: FloatArray) -> LogitFunction:
        """See `BinaryNetwork.evaluator`."""
        points = as_points(x, self.n_inputs)
        return signed_sums(np.vstack([points.T, np.ones(len(points))]))

    def evaluator_bytes(self, points: int) -> int:
        """See `BinaryNetwork.evaluator_bytes`."""
        return signed_sums_bytes(self.n_inputs + 1, points)

    def classes(self) -> Classes:
        """No weights are interchangeable, so every network is a class of its own."""
        every = np.arange(2**self.n_qubits)
        return Classes(every, every.astype(np.int32))

    @property
    def classes_bytes(self) -> int:
        """See `BinaryNetwork.classes_bytes`: each index as int64 and as int32."""
        return 12 << self.n_qubits
