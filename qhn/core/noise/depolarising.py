"""How noisy gates are, and the Pauli errors that follow the gates of a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple, Self

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import BitArray
from qhn.core.errors import InvalidValueError

_BLOCK = 2**16


@dataclass(frozen=True)
class Depolarising:
    """Depolarising noise after every gate of a circuit.

    After a rotation (each RY and each RZ), one of the three Paulis X, Y, Z acts on its qubit with
    probability p1, each with p1/3. After a CNOT, one of the fifteen two-qubit Paulis other than
    I⊗I acts on its qubits with probability p2, each with p2/15. At p1 = 3/4 and p2 = 15/16 the
    qubits of a gate are left in the fully mixed state.

    The parameter λ of Qiskit's ``depolarizing_error(λ, n)`` counts the identity as well, so that
    λ = p · 4ⁿ/(4ⁿ − 1): it is 4/3 · p1 for one qubit and 16/15 · p2 for two.

    Attributes:
        p1: the probability of an error after a rotation, between 0 and 1.
        p2: the probability of an error after a CNOT, between 0 and 1.

    Raises:
        InvalidValueError: if a probability is not a number between 0 and 1.
    """

    p1: float
    p2: float

    def __post_init__(self) -> None:
        _check_probability("p1", self.p1, "a rotation")
        _check_probability("p2", self.p2, "a CNOT")

    @classmethod
    def from_number(cls, p: float) -> Self:
        """The same probability p after a rotation and after a CNOT."""
        return cls(p1=p, p2=p)

    def __str__(self) -> str:
        """A short text for labels: ``0.001/0.004`` for p1 and p2, one number if they are equal."""
        first, second = (repr(float(p)).removesuffix(".0") for p in (self.p1, self.p2))
        return first if first == second else f"{first}/{second}"


def _check_probability(name: str, value: object, gate: str) -> None:
    # True is a number for Python, and would mean an error after every gate.
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    # Comparisons with NaN are false, so that NaN is refused as well.
    if not is_number or not 0.0 <= float(value) <= 1.0:  # type: ignore[arg-type]
        raise InvalidValueError(
            f"{name}, the probability of an error after {gate}, must be a number between 0 and 1, "
            f"but got {name}={value!r}"
        )


class Faults(NamedTuple):
    """The Pauli that follows each gate of a circuit, in each of T trajectories.

    A Pauli of one qubit is the number 2x + z for X^x Z^z up to a phase: 0 is I, 1 is Z, 2 is X and
    3 is Y. A Pauli of two qubits is 4 times that of the control plus that of the target.

    Attributes:
        rotations: numbers 0 to 3, shape ``(depth, 2, N, T)``.
        cnots: numbers 0 to 15, shape ``(number of CNOTs, T)``, layer after layer, in the order of
            application.
    """

    rotations: BitArray
    cnots: BitArray


def draw_faults(
    ansatz: Ansatz, noise: Depolarising, trajectories: int, rng: np.random.Generator
) -> Faults:
    """Draw the Pauli after every gate of a circuit, independently for each trajectory."""
    n_cnots = sum(len(ansatz.cnots(layer)) for layer in range(ansatz.depth))
    rotations = np.empty((*ansatz.parameter_shape, trajectories), dtype=np.uint8)
    cnots = np.empty((n_cnots, trajectories), dtype=np.uint8)
    _draw(rotations.reshape(-1), noise.p1, 3, rng)
    _draw(cnots.reshape(-1), noise.p2, 15, rng)
    return Faults(rotations, cnots)


def _draw(faults: BitArray, p: float, n_paulis: int, rng: np.random.Generator) -> None:
    """Fill a flat array with 0, or with each of 1 to n_paulis with probability p/n_paulis."""
    faults[:] = 0
    # In blocks, because uniform numbers take eight times as much memory as the faults. The numbers
    # that are drawn do not depend on the size of the blocks.
    for start in range(0, len(faults), _BLOCK):
        block = faults[start : start + _BLOCK]
        uniform = rng.random(len(block))
        hit = np.flatnonzero(uniform < p)
        # A number below p is uniform in [0, p), so it also says which Pauli. The quotient may be
        # rounded up to 1, which would be one Pauli too far.
        which = (uniform[hit] / p * n_paulis).astype(np.uint8)
        block[hit] = 1 + np.minimum(which, n_paulis - 1)
