"""Devices of PennyLane by their names, and the circuit of an ansatz as PennyLane's gates."""

from __future__ import annotations

from typing import Any

import pennylane as qml
from pennylane.exceptions import DeviceError

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError

#: What PennyLane and its plugins raise where a device cannot be made or cannot run a circuit.
REFUSALS = (DeviceError, ImportError, NotImplementedError, TypeError, ValueError, RuntimeError)


def make(name: str, n_qubits: int, **settings: Any) -> Any:
    """Make a device of PennyLane.

    Args:
        name: its name in PennyLane.
        n_qubits: how many qubits it has.
        settings: what else this device takes.

    Raises:
        InvalidValueError: if there is no such device, or if it cannot be made.
    """
    check_installed(name)
    try:
        return qml.device(name, wires=n_qubits, **settings)
    except REFUSALS as error:
        raise InvalidValueError(
            f"the pennylane device {name} must work on {n_qubits} qubits, but it says: "
            f"{one_line(error)}"
        ) from error


def check_installed(name: str, backend: str | None = None, n_qubits: int = 1) -> None:
    """Check that PennyLane has a device, and that the backend it runs has enough qubits.

    Args:
        name: the name of the device in PennyLane.
        backend: the fake backend of ``qiskit.remote``; None for all others.
        n_qubits: how many qubits the circuit has.

    Raises:
        InvalidValueError: if there is no such device or backend, or if it has too few qubits.
    """
    if name not in qml.plugin_devices:
        qml.refresh_devices()  # a plugin may have been installed since PennyLane was imported
    if name not in qml.plugin_devices:
        raise InvalidValueError(
            f"a pennylane device must be installed, but got {name!r}; installed are "
            f"{', '.join(sorted(qml.plugin_devices))}"
        )
    if backend is not None:
        from qhn.devices.qiskit.simulator import check_width, fake_backend

        check_width(backend, fake_backend(backend).num_qubits, n_qubits)


def apply_gates(ansatz: Ansatz, angles: Any) -> None:
    """Apply the gates of a circuit inside a QNode.

    Args:
        ansatz: the circuit.
        angles: shape ``(depth, 2, N)``, or ``(depth, 2, N, M)`` for M sets at once.
    """
    for layer in range(ansatz.depth):
        if ansatz.entanglers_first:
            _entangle(ansatz, layer)
        for qubit in range(ansatz.n_qubits):
            qml.RY(angles[layer, 0, qubit], qubit)
            qml.RZ(angles[layer, 1, qubit], qubit)
        if not ansatz.entanglers_first:
            _entangle(ansatz, layer)


def one_line(error: BaseException) -> str:
    """The first line of an error's text, or its class if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _entangle(ansatz: Ansatz, layer: int) -> None:
    for pair in ansatz.cnots(layer):
        qml.CNOT(pair)
