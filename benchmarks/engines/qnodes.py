"""PennyLane's simulators used through QNodes, as its documentation shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pennylane as qml
from scipy.sparse import csr_matrix, diags_array

from engines.base import FloatArray, is_fixed
from qhn.core.ansatz import Ansatz


def apply_gates(ansatz: Ansatz, parameters: Any) -> None:
    """Apply the gates of a circuit inside a QNode."""
    for layer in range(ansatz.depth):
        if ansatz.entanglers_first:
            for pair in ansatz.cnots(layer):
                qml.CNOT(pair)
        for qubit in range(ansatz.n_qubits):
            qml.RY(parameters[layer, 0, qubit], qubit)
            qml.RZ(parameters[layer, 1, qubit], qubit)
        if not ansatz.entanglers_first:
            for pair in ansatz.cnots(layer):
                qml.CNOT(pair)


class _QNode(ABC):
    """Computes the distribution with one QNode. Subclasses compute value and gradient."""

    def __init__(self, ansatz: Ansatz, device: str) -> None:
        self.ansatz = ansatz
        self._device = qml.device(device, wires=ansatz.n_qubits)
        self._wires = range(ansatz.n_qubits)
        self._fixed: FloatArray | None = None
        self._last: FloatArray = np.zeros(ansatz.parameter_shape)

        @qml.qnode(self._device, diff_method=None)
        def distribution(parameters: Any) -> Any:
            apply_gates(ansatz, parameters)
            return qml.probs(wires=self._wires)

        self._distribution = distribution

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        self._last = parameters.copy()
        return np.asarray(self._distribution(parameters), dtype=np.float64)

    def gradient(self, observable: FloatArray) -> FloatArray:
        if not is_fixed(observable, self._fixed):
            self.fix_observable(observable)
            self._fixed = observable
        return self.value_and_gradient(self._last)[1]

    @abstractmethod
    def fix_observable(self, observable: FloatArray) -> None: ...

    def value_and_gradient(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        tracked = qml.numpy.array(parameters, requires_grad=True)
        gradient = self._gradient(tracked)
        return float(self._gradient.forward), np.asarray(gradient)

    _gradient: Any


class Adjoint(_QNode):
    """The expectation of a sparse diagonal observable, with lightning's adjoint gradient."""

    name = "lightning.qubit QNode, adjoint"
    method = "adjoint"

    def __init__(self, ansatz: Ansatz) -> None:
        super().__init__(ansatz, "lightning.qubit")

    def fix_observable(self, observable: FloatArray) -> None:
        matrix = csr_matrix(diags_array(observable))
        operator = qml.SparseHamiltonian(matrix, wires=self._wires)

        @qml.qnode(self._device, diff_method=self.method)
        def expectation(parameters: Any) -> Any:
            apply_gates(self.ansatz, parameters)
            return qml.expval(operator)

        self._gradient = qml.grad(expectation)


class ParameterShift(Adjoint):
    """The same with the parameter-shift rule, which needs two circuits for each angle."""

    name = "lightning.qubit QNode, parameter shift"
    method = "parameter-shift"


class Backprop(_QNode):
    """Σ O(σ) q(σ) from the distribution, with the gradient by automatic differentiation."""

    name = "default.qubit QNode, backprop"

    def __init__(self, ansatz: Ansatz) -> None:
        super().__init__(ansatz, "default.qubit")

        @qml.qnode(self._device, diff_method="backprop")
        def distribution(parameters: Any) -> Any:
            apply_gates(ansatz, parameters)
            return qml.probs(wires=self._wires)

        self._differentiable = distribution

    @staticmethod
    def memory(ansatz: Ansatz) -> int:
        """The bytes that it may need: the output of each gate is kept, and temporary arrays."""
        gates = ansatz.n_parameters + sum(len(ansatz.cnots(k)) for k in range(ansatz.depth))
        return 2 * gates * 16 * 2**ansatz.n_qubits

    def fix_observable(self, observable: FloatArray) -> None:
        fixed = qml.numpy.array(observable, requires_grad=False)
        self._gradient = qml.grad(lambda p: qml.math.sum(self._differentiable(p) * fixed))
