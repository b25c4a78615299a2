"""The handle of a PennyLane device that samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.kinds.pennylane import REMOTE
from qhn.devices.opening import OpenHandle, check_sets
from qhn.devices.pennylane.making import REFUSALS, apply_gates, check_installed, make, one_line

if TYPE_CHECKING:
    from qhn.devices.kinds.pennylane import PennyLane

_SEEDS = 2**31
# The plugin for Qiskit gives each circuit of a broadcast the same seed. The samples of shifted
# circuits would then go up and down together, and gradients would be far more certain than they
# seem. So each circuit has a device and a seed of its own there.
_ONE_BY_ONE = ("qiskit.aer", REMOTE)


class PennyLaneSamplerHandle(OpenHandle):
    """Samples from a device of PennyLane, all sets of a step in one execution where it can.

    The device is made anew for each step, because a seed is taken only by a new device. That takes
    less than a millisecond.

    Args:
        device: the options.
        ansatz: the circuit.

    Raises:
        InvalidValueError: if PennyLane has no such device, or if it has too few qubits.
    """

    def __init__(self, device: PennyLane, ansatz: Ansatz) -> None:
        super().__init__(device.kind, ansatz, device.capabilities)
        self._device = device.device
        self._settings: dict[str, Any] = {}
        check_installed(device.device, device.backend, ansatz.n_qubits)
        if device.backend is not None:
            from qhn.devices.kinds.qiskit import Qiskit
            from qhn.devices.qiskit.simulator import fake

            method = Qiskit(backend=device.backend).resolved(ansatz.n_qubits).method
            assert method is not None
            # The simulator that a fake backend makes for each circuit, made once and on one core.
            self._settings["backend"] = fake(device.backend, method)
            self._settings["seed_transpiler"] = 0
        self._made(0)  # an unknown device is refused where it is opened

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """See `SamplerHandle.sample`."""
        self._check_open()
        check_sets(sets, self.ansatz)
        check_count("shots", shots)
        rng = key.rng()
        batches = np.split(sets, len(sets)) if self._device in _ONE_BY_ONE else [sets]
        try:
            drawn = [
                self._drawn(self._made(int(rng.integers(_SEEDS))), batch, shots)
                for batch in batches
            ]
        except REFUSALS as error:
            raise InvalidValueError(
                f"the pennylane device {self._device} must be able to sample all "
                f"{self.ansatz.n_qubits} qubits, but it says: {one_line(error)}"
            ) from error
        return np.concatenate(drawn)

    def close(self) -> None:
        """Free the simulator of a fake backend."""
        super().close()
        self._settings.clear()

    def _made(self, seed: int) -> Any:
        return make(self._device, self.ansatz.n_qubits, **self._settings, **self._seeded(seed))

    def _seeded(self, seed: int) -> dict[str, Any]:
        """The setting that makes a device draw from a seed, where it has one."""
        if not self.capabilities.reproducible:
            return {}
        if self._device == "qiskit.aer":
            # Trajectories depend on the number of threads that share them.
            return {"seed_simulator": seed, "max_parallel_threads": 1}
        if self._device == REMOTE:
            # Its local mode takes the seed 0 for none.
            return {"options": {"simulator": {"seed_simulator": 1 + seed}}}
        return {"seed": seed}

    def _drawn(self, device: Any, sets: FloatArray, shots: int) -> IntArray:
        ansatz = self.ansatz

        def circuit(angles: Any) -> Any:
            apply_gates(ansatz, angles)
            return qml.sample(wires=range(ansatz.n_qubits))

        node = qml.set_shots(qml.QNode(circuit, device, diff_method=None), shots=shots)
        # PennyLane runs all numbers of the last axis at once, or one after the other.
        bits = np.asarray(node(np.moveaxis(sets, 0, -1)), dtype=np.int64)
        places = 1 << np.arange(ansatz.n_qubits - 1, -1, -1, dtype=np.int64)
        samples: IntArray = bits.reshape(len(sets), shots, ansatz.n_qubits) @ places
        return samples
