"""Density matrices of noisy circuits in plain NumPy, gate by gate: what frames must reproduce.

The state ρ is a 2^N × 2^N matrix. After each gate, it becomes (1 − p) ρ + p/(4^n − 1) Σ P ρ P over
the Paulis P on the n qubits of the gate, without the identity.
"""

from __future__ import annotations

from functools import cache, reduce
from itertools import product

import numpy as np
from oracles.circuit import ComplexArray, Gate, gates

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
#: In the order of `qhn.core.noise.depolarising.Faults`: I, Z, X, Y.
PAULIS = (I2, Z, X, Y)
GENERATORS = {"ry": Y, "rz": Z}


def embedded(n_qubits: int, factors: dict[int, ComplexArray]) -> ComplexArray:
    """A product of matrices on single qubits as a matrix on all of them, qubit 0 first."""
    return reduce(np.kron, [factors.get(qubit, I2) for qubit in range(n_qubits)])


def unitary(gate: Gate, parameters: FloatArray, n_qubits: int) -> ComplexArray:
    """The matrix of one gate of `oracles.circuit.gates`."""
    name, qubits, angle = gate
    if angle is None:
        control, target = qubits
        zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)
        return embedded(n_qubits, {control: zero}) + embedded(n_qubits, {control: one, target: X})
    half = parameters[angle] / 2
    return embedded(n_qubits, {qubits[0]: np.cos(half) * I2 - 1j * np.sin(half) * GENERATORS[name]})


@cache
def paulis_on(qubits: tuple[int, ...], n_qubits: int) -> list[ComplexArray]:
    """All Paulis on some qubits, in the order of `Faults`, the identity first."""
    return [
        embedded(n_qubits, dict(zip(qubits, factors, strict=True)))
        for factors in product(PAULIS, repeat=len(qubits))
    ]


def probabilities(ansatz: Ansatz, parameters: FloatArray, p1: float, p2: float) -> FloatArray:
    """The noisy distribution of outcomes, shape ``(2^N,)``."""
    n_qubits = ansatz.n_qubits
    rho = np.zeros((2**n_qubits, 2**n_qubits), dtype=complex)
    rho[0, 0] = 1
    for gate in gates(ansatz):
        u = unitary(gate, parameters, n_qubits)
        rho = u @ rho @ u.conj().T
        p = p1 if len(gate[1]) == 1 else p2
        _, *errors = paulis_on(gate[1], n_qubits)
        rho = (1 - p) * rho + p / len(errors) * sum(e @ rho @ e for e in errors)
    return np.diag(rho).real


def slopes(ansatz: Ansatz, parameters: FloatArray, p1: float, p2: float) -> FloatArray:
    """∂q_θ(σ)/∂θ, shape ``(depth, 2, N, 2^N)``.

    It is taken by shifts of ±π/2, which are exact also with channels between gates.
    """
    result = np.zeros((*ansatz.parameter_shape, 2**ansatz.n_qubits))
    for index in np.ndindex(ansatz.parameter_shape):
        shift = np.zeros(ansatz.parameter_shape)
        shift[index] = np.pi / 2
        up = probabilities(ansatz, parameters + shift, p1, p2)
        down = probabilities(ansatz, parameters - shift, p1, p2)
        result[index] = (up - down) / 2
    return result


def gradient(
    ansatz: Ansatz, parameters: FloatArray, observable: FloatArray, p1: float, p2: float
) -> FloatArray:
    """∂/∂θ Σ_σ O(σ) q_θ(σ), shape ``(depth, 2, N)``."""
    found: FloatArray = slopes(ansatz, parameters, p1, p2) @ observable
    return found


def faulty_probabilities(
    ansatz: Ansatz, parameters: FloatArray, rotations: np.ndarray, cnots: np.ndarray
) -> FloatArray:
    """The distribution of one trajectory, with the Paulis of given faults put after the gates.

    ``rotations`` has the shape ``(depth, 2, N)``, ``cnots`` the shape ``(number of CNOTs,)``.
    """
    n_qubits = ansatz.n_qubits
    state = np.zeros(2**n_qubits, dtype=complex)
    state[0] = 1
    after_cnots = iter(cnots)
    for gate in gates(ansatz):
        _, qubits, angle = gate
        fault = next(after_cnots) if angle is None else rotations[angle]
        state = unitary(gate, parameters, n_qubits) @ state
        state = paulis_on(qubits, n_qubits)[fault] @ state
    return np.abs(state) ** 2
