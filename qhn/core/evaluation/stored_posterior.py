"""A trained posterior as text, which predicts without the circuit that it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.predictive import SKIPPED_MASS, Predictive, predictive
from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.core.networks import BinaryNetwork, logistic, mlp

FORMAT = 1
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class StoredPosterior:
    """The probable networks of a posterior.

    Attributes:
        n_inputs: the number of coordinates of a point, d.
        hidden: the number of hidden units; None for logistic regression.
        indices: the indices of the networks, shape ``(k,)``.
        probabilities: their probabilities, which add up to 1, shape ``(k,)``.
    """

    n_inputs: int
    hidden: int | None
    indices: NDArray[np.int64]
    probabilities: FloatArray

    @classmethod
    def of(cls, q: FloatArray, n_inputs: int, hidden: int | None) -> StoredPosterior:
        """The networks of a distribution of shape ``(2^N,)`` that are not improbable.

        Those are left out that together have less than a millionth of the probability.
        """
        indices = np.flatnonzero(q > SKIPPED_MASS / len(q))
        return cls(n_inputs, hidden, indices, q[indices] / q[indices].sum())

    @property
    def network(self) -> BinaryNetwork:
        """The family of networks."""
        return logistic(self.n_inputs) if self.hidden is None else mlp(self.n_inputs, self.hidden)

    def predict(self, x: FloatArray) -> Predictive:
        """See `predictive`.

        Raises:
            InvalidValueError: if the points have another shape, or are not finite.
        """
        network = self.network
        q = np.zeros(2**network.n_qubits)
        q[self.indices] = self.probabilities
        return predictive(network, q, x)

    def to_json(self) -> str:
        """The posterior as text. Floats are written so that they are read back unchanged."""
        content = {
            "format": FORMAT,
            "n_inputs": self.n_inputs,
            "hidden": self.hidden,
            "indices": self.indices.tolist(),
            "probabilities": self.probabilities.tolist(),
        }
        return json.dumps(content, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StoredPosterior:
        """Read what `to_json` has written.

        Raises:
            InvalidValueError: if it is no such text.
        """
        try:
            content: Any = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"its format must be {FORMAT}, but is {content['format']!r}")
            indices = np.array(content["indices"], dtype=np.int64)
            probabilities = np.array(content["probabilities"], dtype=np.float64)
            hidden = content["hidden"]
            found = cls(
                int(content["n_inputs"]),
                None if hidden is None else int(hidden),
                indices,
                probabilities,
            )
            found._check()
            return found
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise InvalidValueError(f"the text of a posterior cannot be read: {error}") from None

    def _check(self) -> None:
        """Check what was read, before anything of its size is made.

        Raises:
            ValueError: if something is wrong.
        """
        if not 1 <= self.n_inputs <= MAX_TABLE_QUBITS or (
            self.hidden is not None and self.hidden < 1
        ):
            raise ValueError("its network must have inputs, and hidden units or none at all")
        n_qubits = self.network.n_qubits
        if n_qubits > MAX_TABLE_QUBITS:
            raise ValueError(f"it must have at most {MAX_TABLE_QUBITS} qubits, but has {n_qubits}")
        indices, probabilities, size = self.indices, self.probabilities, 2**n_qubits
        if indices.ndim != 1 or indices.shape != probabilities.shape or not len(indices):
            raise ValueError("it must have one probability for each network")
        if indices.min() < 0 or indices.max() >= size or len(np.unique(indices)) != len(indices):
            raise ValueError(f"its networks must have different indices from 0 to {size - 1}")
        if not (probabilities >= 0).all() or abs(probabilities.sum() - 1) > _ROUNDING:
            raise ValueError("its probabilities must not be negative, and must add up to 1")
