"""Variational circuits as plain data: layers of RY and RZ on every qubit, and CNOTs between them.

The circuit of arXiv 2301.08292 is the brickwork one with CNOTs before the rotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, get_args

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError

Entangler = Literal["brickwork", "chain", "ring"]


@dataclass(frozen=True)
class Ansatz:
    """A circuit of ``depth`` layers on ``n_qubits`` qubits.

    Each layer has one RY and then one RZ on every qubit. The CNOTs of its entangler come before
    these rotations (``entanglers_first``) or after them. The parameters are angles in radians, in
    an array of shape ``(depth, 2, n_qubits)``: ``[l, 0]`` are the RY angles of layer l and
    ``[l, 1]`` its RZ angles.

    Raises:
        InvalidValueError: if a field is out of its range.
    """

    n_qubits: int
    depth: int
    entangler: Entangler = "brickwork"
    entanglers_first: bool = True

    def __post_init__(self) -> None:
        check_count("n_qubits", self.n_qubits)
        check_count("depth", self.depth)
        if self.entangler not in get_args(Entangler):
            raise InvalidValueError(
                f"entangler must be one of {', '.join(get_args(Entangler))}, "
                f"but got {self.entangler!r}"
            )

    @classmethod
    def brickwork(cls, n_qubits: int, depth: int, *, entanglers_first: bool = True) -> Self:
        """CNOTs on (1,2), (3,4), … in the first layer, on (0,1), (2,3), … in the second, and so on.

        Example:
            >>> Ansatz.brickwork(n_qubits=4, depth=2).cnots(0)
            ((1, 2),)
        """
        return cls(n_qubits, depth, "brickwork", entanglers_first)

    @classmethod
    def chain(cls, n_qubits: int, depth: int, *, entanglers_first: bool = False) -> Self:
        """CNOTs on (0,1), (1,2), …, (N−2,N−1), one after the other, in every layer."""
        return cls(n_qubits, depth, "chain", entanglers_first)

    @classmethod
    def ring(cls, n_qubits: int, depth: int, *, entanglers_first: bool = False) -> Self:
        """The CNOTs of `chain` and then one on (N−1,0); for two qubits the same as `chain`."""
        return cls(n_qubits, depth, "ring", entanglers_first)

    @property
    def parameter_shape(self) -> tuple[int, int, int]:
        """The shape of the angles, ``(depth, 2, n_qubits)``."""
        return (self.depth, 2, self.n_qubits)

    @property
    def n_parameters(self) -> int:
        """The number of angles, 2 · depth · N."""
        return 2 * self.depth * self.n_qubits

    def cnots(self, layer: int) -> tuple[tuple[int, int], ...]:
        """The (control, target) pairs of a layer (counted from 0), in the order of application."""
        if self.entangler == "brickwork":
            first = (layer + 1) % 2
            return tuple((q, q + 1) for q in range(first, self.n_qubits - 1, 2))
        pairs = tuple((q, q + 1) for q in range(self.n_qubits - 1))
        # On two qubits, (1,0) would follow (0,1): that is no ring, so it is left out.
        if self.entangler == "ring" and self.n_qubits > 2:
            pairs += ((self.n_qubits - 1, 0),)
        return pairs
