"""Calls the compiled code of lightning.qubit directly, without QNodes, tapes or gate objects."""

from __future__ import annotations

import numpy as np
from pennylane_lightning.lightning_qubit_ops import StateVectorC128
from pennylane_lightning.lightning_qubit_ops.algorithms import (
    AdjointJacobianC128,
    create_ops_listC128,
)
from pennylane_lightning.lightning_qubit_ops.observables import SparseHamiltonianC128

from engines.base import FloatArray, is_fixed
from qhn.core.ansatz import Ansatz


class Raw:
    """Applies gates to a state vector that is kept, and gets the gradient by one adjoint call."""

    name = "lightning.qubit raw calls"

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self._state = StateVectorC128(ansatz.n_qubits)
        self._amplitudes = np.zeros(2**ansatz.n_qubits, dtype=np.complex128)
        self._jacobian = AdjointJacobianC128()
        self._wires = list(range(ansatz.n_qubits))
        self._gates = list(self._circuit())
        self._names = [name for name, _, _ in self._gates]
        self._targets = [wires for _, wires, _ in self._gates]
        self._angle_index = [index for _, _, index in self._gates if index is not None]
        size = 2**ansatz.n_qubits
        self._rows = np.arange(size), np.arange(size + 1)
        self._diagonal: FloatArray | None = None
        self._none: list[list[int]] = [[] for _ in self._gates]

    def _circuit(self):  # noqa: ANN202
        for layer in range(self.ansatz.depth):
            cnots = [("CNOT", list(pair), None) for pair in self.ansatz.cnots(layer)]
            if self.ansatz.entanglers_first:
                yield from cnots
            for qubit in self._wires:
                yield "RY", [qubit], (layer, 0, qubit)
                yield "RZ", [qubit], (layer, 1, qubit)
            if not self.ansatz.entanglers_first:
                yield from cnots

    def fix_observable(self, observable: FloatArray) -> None:
        self._diagonal = observable
        values = observable.astype(np.complex128)
        self._observable = SparseHamiltonianC128(values, *self._rows, self._wires)

    def _evolve(self, parameters: FloatArray) -> None:
        state = self._state
        state.resetStateVector()
        for name, wires, index in self._gates:
            if index is None:
                state.CNOT(wires, False, [])
            elif name == "RY":
                state.RY(wires, False, [parameters[index]])
            else:
                state.RZ(wires, False, [parameters[index]])
        state.getState(self._amplitudes)

    def _adjoint(self, parameters: FloatArray) -> FloatArray:
        angles = [[] if index is None else [parameters[index]] for _, _, index in self._gates]
        operations = create_ops_listC128(
            self._names,
            angles,
            self._targets,
            [False] * len(self._names),
            [np.zeros(0, dtype=np.complex128)] * len(self._names),
            self._none,
            self._none,
        )
        trainable = list(range(len(self._angle_index)))
        flat = self._jacobian(self._state, [self._observable], operations, trainable)
        gradient = np.zeros(self.ansatz.parameter_shape)  # it stays 0 for gates that are left out
        for value, index in zip(flat, self._angle_index, strict=True):
            gradient[index] = value
        return gradient

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        self._evolve(parameters)
        q = self._amplitudes.real**2 + self._amplitudes.imag**2
        return float(q @ self._diagonal), self._adjoint(parameters)

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        self._evolve(parameters)
        self._last = parameters.copy()
        return self._amplitudes.real**2 + self._amplitudes.imag**2

    def gradient(self, observable: FloatArray) -> FloatArray:
        if not is_fixed(observable, self._diagonal):
            self.fix_observable(observable)
        return self._adjoint(self._last)


class RawNeededGates(Raw):
    """The same without the gates that change no probability, which qhn's engine skips as well.

    These are the first CNOTs, which act on |0…0⟩, and the last RZ gates, which change only phases.
    The gradients of their angles are 0.
    """

    name = "lightning.qubit raw, needed gates"

    def _circuit(self):  # noqa: ANN202
        depth, first = self.ansatz.depth, self.ansatz.entanglers_first
        for name, wires, index in super()._circuit():
            if index is not None:
                if name == "RZ" and index[0] == depth - 1:
                    continue
                self._rotated = True
            elif first and not self._rotated:
                continue
            yield name, wires, index

    _rotated = False


class RawStateReused(Raw):
    """Only the adjoint call, on a state that exists already, without forward pass and value."""

    name = "lightning.qubit raw, state reused"

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        if not hasattr(self, "_prepared"):
            self._evolve(parameters)
            self._prepared = True
        return float("nan"), self._adjoint(parameters)
