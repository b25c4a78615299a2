"""The handle of Aer and of IBM's fake backends, which Aer simulates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.opening import OpenHandle, check_sets
from qhn.devices.qiskit.circuit import circuit_of, compiled_for
from qhn.devices.qiskit.samples import from_counts
from qhn.devices.qiskit.simulator import aer, check_width, fake

if TYPE_CHECKING:
    from qhn.devices.kinds.qiskit import Qiskit

# Aer reads seeds as numbers of 32 bits with a sign.
_SEEDS = 2**31


class AerHandle(OpenHandle):
    """Samples from a simulator that is made, and a circuit that is compiled, once.

    Args:
        device: the options, with the method filled in.
        ansatz: the circuit.

    Raises:
        InvalidValueError: if there is no such backend, or if it has too few qubits.
    """

    def __init__(self, device: Qiskit, ansatz: Ansatz) -> None:
        super().__init__(device.kind, ansatz, device.capabilities)
        assert device.method is not None
        self._method = device.method
        self._backend = device.backend
        self._simulator: Any
        if device.backend == "aer":
            self._simulator = aer(device.method, device.noise)
            # Aer runs the gates of the ansatz as they are. The transpiler would merge some, and
            # with them their noise.
            self._compiled = circuit_of(ansatz)
        else:
            self._simulator = fake(device.backend, device.method)
            check_width(device.backend, self._simulator.num_qubits, ansatz.n_qubits)
            self._compiled = compiled_for(self._simulator, ansatz)

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """See `SamplerHandle.sample`. The samples of each set are in ascending order."""
        self._check_open()
        check_sets(sets, self.ansatz)
        check_count("shots", shots)
        values = self._compiled.values(sets)
        result = self._simulator.run(
            self._compiled.circuit,
            # One run of all sets. Each of them has a seed of its own, which Aer makes from this
            # one, so that sets with equal angles have different samples.
            parameter_binds=[
                dict(zip(self._compiled.circuit.parameters, values.T, strict=True)),
            ],
            shots=shots,
            # A fixed seed would give the same noise at every step.
            seed_simulator=int(key.rng().integers(_SEEDS)),
        ).result()
        if not result.success:
            raise InvalidValueError(
                f"Aer must be able to run {self.ansatz.n_qubits} qubits with method "
                f"{self._method}, but it says: {result.status}; choose another method"
            )
        return np.stack([from_counts(each.data.counts) for each in result.results])

    def close(self) -> None:
        """Free the simulator."""
        super().close()
        self._simulator = None
