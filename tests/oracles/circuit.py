"""The circuit in plain NumPy, gate by gate: what the compiled engine must reproduce.

A state is a complex vector of 2^N amplitudes, qubit 0 the most significant bit of its index.
Each layer applies R_Z(φ) R_Y(θ) to every qubit, and its CNOTs before or after, where
R_Y(θ) = exp(−iθY/2) and R_Z(φ) = exp(−iφZ/2). The circuit starts in |0…0⟩.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray

ComplexArray = NDArray[np.complex128]
Gate = tuple[str, tuple[int, ...], tuple[int, int, int] | None]

_PAULI = {
    "ry": np.array([[0, -1j], [1j, 0]]),
    "rz": np.array([[1, 0], [0, -1]], dtype=complex),
}


def gates(ansatz: Ansatz) -> Iterator[Gate]:
    """Gates in the order of application: (name, qubits, index of the angle or None)."""
    for layer in range(ansatz.depth):
        cnots: list[Gate] = [("cnot", pair, None) for pair in ansatz.cnots(layer)]
        if ansatz.entanglers_first:
            yield from cnots
        for kind, name in enumerate(("ry", "rz")):
            for qubit in range(ansatz.n_qubits):
                yield name, (qubit,), (layer, kind, qubit)
        if not ansatz.entanglers_first:
            yield from cnots


def statevector(ansatz: Ansatz, parameters: FloatArray) -> ComplexArray:
    """Final state, shape ``(2^N,)``, for angles of shape ``(depth, 2, N)`` in radians."""
    state = np.zeros(2**ansatz.n_qubits, dtype=complex)
    state[0] = 1
    for gate in gates(ansatz):
        state = _apply(state, gate, parameters, ansatz.n_qubits)
    return state


def probabilities(ansatz: Ansatz, parameters: FloatArray) -> FloatArray:
    """q_θ(σ) = |⟨σ|ψ(θ)⟩|², shape ``(2^N,)``."""
    return np.abs(statevector(ansatz, parameters)) ** 2


def gradient(ansatz: Ansatz, parameters: FloatArray, observable: FloatArray) -> FloatArray:
    """∂/∂θ Σ_σ O(σ) q_θ(σ) with O held fixed, shape ``(depth, 2, N)``.

    The reverse pass carries |ψ⟩ and |λ⟩ = O|ψ⟩ back through the gates. A gate exp(−iθG/2) adds
    2 Re⟨λ|(−iG/2)|ψ⟩ = Im⟨λ|G|ψ⟩, taken right after the gate, before it is undone on both.
    """
    ket = statevector(ansatz, parameters)
    bra = observable * ket
    result = np.zeros(ansatz.parameter_shape)
    for gate in reversed(list(gates(ansatz))):
        name, qubits, angle = gate
        if angle is not None:
            generator = _on_qubit(ket, _PAULI[name], qubits[0], ansatz.n_qubits)
            result[angle] = np.vdot(bra, generator).imag
        ket = _apply(ket, gate, parameters, ansatz.n_qubits, inverse=True)
        bra = _apply(bra, gate, parameters, ansatz.n_qubits, inverse=True)
    return result


def _apply(
    state: ComplexArray, gate: Gate, parameters: FloatArray, n_qubits: int, *, inverse: bool = False
) -> ComplexArray:
    name, qubits, angle = gate
    if angle is None:
        return _cnot(state, qubits[0], qubits[1], n_qubits)
    half = parameters[angle] / 2 * (-1 if inverse else 1)
    matrix = np.cos(half) * np.eye(2) - 1j * np.sin(half) * _PAULI[name]
    return _on_qubit(state, matrix, qubits[0], n_qubits)


def _on_qubit(state: ComplexArray, matrix: ComplexArray, qubit: int, n_qubits: int) -> ComplexArray:
    """A 2 x 2 matrix on one qubit: (…, 2, …) contracted over its axis."""
    shaped = state.reshape(2**qubit, 2, 2 ** (n_qubits - qubit - 1))
    rotated: ComplexArray = np.einsum("ij,ajb->aib", matrix, shaped).reshape(-1)
    return rotated


def _cnot(state: ComplexArray, control: int, target: int, n_qubits: int) -> ComplexArray:
    """Amplitudes with the control bit set change places with those of the other target bit."""
    index = np.arange(2**n_qubits)
    control_bit = (index >> (n_qubits - 1 - control)) & 1
    moved: ComplexArray = state[index ^ (control_bit << (n_qubits - 1 - target))]
    return moved
