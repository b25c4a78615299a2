"""The handle of a PennyLane device that gives the whole distribution, and its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pennylane as qml
from pennylane.devices import ExecutionConfig
from scipy.sparse import csr_matrix, diags_array

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.shift import shifted_places, shifted_sets
from qhn.devices.opening import OpenHandle
from qhn.devices.pennylane.making import REFUSALS, apply_gates, make, one_line

if TYPE_CHECKING:
    from qhn.devices.kinds.pennylane import PennyLane

#: How a device gives gradients: by itself in a reverse pass, by automatic differentiation of its
#: arithmetic, or by shifted circuits, which every device can run.
Differentiation = Literal["adjoint", "backprop", "shift"]


class PennyLaneHandle(OpenHandle):
    """The whole distribution from a device of PennyLane. It does not sample.

    Args:
        device: the options.
        ansatz: the circuit.

    Raises:
        InvalidValueError: if PennyLane has no such device, or if it cannot give the distribution.
    """

    def __init__(self, device: PennyLane, ansatz: Ansatz) -> None:
        super().__init__(device.kind, ansatz, device.capabilities)
        name = device.device
        # Without this, Aer would sample also where the whole distribution is asked for.
        settings = {"method": "statevector"} if name == "qiskit.aer" else {}
        self._device: Any = make(name, ansatz.n_qubits, **settings)
        self._wires = range(ansatz.n_qubits)
        self._angles: FloatArray | None = None
        self._distribution = qml.QNode(self._probs, self._device, diff_method=None)
        try:
            self._run(np.zeros((1, *ansatz.parameter_shape)))
        except REFUSALS as error:
            raise InvalidValueError(
                f"the pennylane device {name} must give the whole distribution, but it says: "
                f"{one_line(error)}; give shots, so that it samples"
            ) from error
        self.differentiation = self._best()

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """See `SimulatorHandle.probabilities`."""
        self._check_open()
        self._angles = np.array(parameters, dtype=np.float64)
        found: FloatArray = self._run(self._angles[np.newaxis])[0]
        return found

    def gradient(self, observable: FloatArray) -> FloatArray:
        """See `SimulatorHandle.gradient`."""
        self._check_open()
        if self._angles is None:
            raise InvalidValueError(
                "`probabilities` must be called before `gradient`: it sets the angles"
            )
        if self.differentiation == "shift":
            return self._by_shifts(self._angles, observable)
        tracked = qml.numpy.array(self._angles, requires_grad=True)
        gradient: FloatArray = np.asarray(qml.grad(self._expectation(observable))(tracked))
        return gradient

    def close(self) -> None:
        """Free the device and its buffers."""
        super().close()
        self._device = self._distribution = None

    def _probs(self, angles: Any) -> Any:
        apply_gates(self.ansatz, angles)
        return qml.probs(wires=self._wires)

    def _run(self, sets: FloatArray) -> FloatArray:
        """The distributions of several sets of angles, shape ``(M, 2^N)``, in one execution."""
        found: Any = self._distribution(np.moveaxis(sets, 0, -1))
        return np.asarray(found, dtype=np.float64).reshape(len(sets), -1)

    def _by_shifts(self, angles: FloatArray, observable: FloatArray) -> FloatArray:
        up, down = np.split(self._run(shifted_sets(self.ansatz, angles)[1:]), 2)
        gradient: FloatArray = np.zeros(angles.shape)
        gradient.flat[shifted_places(self.ansatz)] = (up - down) @ observable / 2.0
        return gradient

    def _expectation(self, observable: FloatArray) -> Any:
        """Σ O(σ) q(σ) as a function that PennyLane can differentiate."""
        if self.differentiation == "backprop":
            probs = qml.QNode(self._probs, self._device, diff_method="backprop")
            fixed = qml.numpy.array(observable, requires_grad=False)
            return lambda angles: qml.math.sum(probs(angles) * fixed)
        # Of what lightning differentiates, only sparse matrices hold 2^N numbers at no more cost.
        operator = _diagonal(observable, self._wires)

        def expectation(angles: Any) -> Any:
            apply_gates(self.ansatz, angles)
            return qml.expval(operator)

        return qml.QNode(expectation, self._device, diff_method="adjoint")

    def _best(self) -> Differentiation:
        """The fastest way of this device. Reverse passes take as long as a few runs."""
        tape = qml.tape.QuantumScript(
            [qml.RY(0.1, 0)], [qml.expval(_diagonal(np.ones(2), range(1)))]
        )
        choices: tuple[Differentiation, ...] = ("adjoint", "backprop")
        for method in choices:
            if self._device.supports_derivatives(ExecutionConfig(gradient_method=method), tape):
                return method
        return "shift"


def _diagonal(observable: FloatArray, wires: range) -> Any:
    return qml.SparseHamiltonian(csr_matrix(diags_array(observable)), wires=wires)
