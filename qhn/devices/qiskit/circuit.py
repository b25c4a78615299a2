"""The circuit of an ansatz in Qiskit, with free angles, compiled once for a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray

#: The transpiler places qubits at random, so that without a seed two processes would run two
#: different circuits for one trial.
_TRANSPILER_SEED = 0
#: The level that cancels and merges the most gates: on hardware, fewer gates are less noise.
_LEVEL = 3


@dataclass(frozen=True)
class Compiled:
    """A circuit that a backend can run as it is.

    Attributes:
        circuit: the circuit, with its free angles.
        places: which angle each of ``circuit.parameters`` is, as places in the flattened array of
            angles. The transpiler leaves out angles on which no outcome depends.
    """

    circuit: Any
    places: IntArray

    def values(self, sets: FloatArray) -> FloatArray:
        """The free angles of each set, shape ``(M, number of parameters)``.

        Args:
            sets: M sets of angles in radians, shape ``(M, depth, 2, N)``.
        """
        values: FloatArray = sets.reshape(len(sets), -1)[:, self.places]
        return values


def circuit_of(ansatz: Ansatz) -> Compiled:
    """The circuit gate by gate, with every gate of the ansatz and a measurement of all qubits."""
    angles = ParameterVector("angle", ansatz.n_parameters)
    shape = ansatz.parameter_shape
    by_place = {place: angles[k] for k, place in enumerate(np.ndindex(shape))}
    n_qubits = ansatz.n_qubits
    circuit = QuantumCircuit(n_qubits, n_qubits)
    for layer in range(ansatz.depth):
        if ansatz.entanglers_first:
            _entangle(circuit, ansatz, layer)
        for qubit in range(n_qubits):
            circuit.ry(by_place[layer, 0, qubit], qubit)
        for qubit in range(n_qubits):
            circuit.rz(by_place[layer, 1, qubit], qubit)
        if not ansatz.entanglers_first:
            _entangle(circuit, ansatz, layer)
    # Qiskit reads the last classical bit as the highest one, and qhn reads qubit 0 as the highest.
    circuit.measure(range(n_qubits), range(n_qubits - 1, -1, -1))
    return _with_places(circuit)


def compiled_for(backend: Any, ansatz: Ansatz) -> Compiled:
    """The circuit in the gates of a backend, on its qubits and couplings.

    It must not be used where noise is to follow each gate of the ansatz, because the transpiler
    merges gates.
    """
    return _with_places(
        transpile(
            circuit_of(ansatz).circuit,
            backend,
            optimization_level=_LEVEL,
            seed_transpiler=_TRANSPILER_SEED,
        )
    )


def _entangle(circuit: QuantumCircuit, ansatz: Ansatz, layer: int) -> None:
    for control, target in ansatz.cnots(layer):
        circuit.cx(control, target)


def _with_places(circuit: QuantumCircuit) -> Compiled:
    places = np.array([element.index for element in circuit.parameters], dtype=np.int64)
    return Compiled(circuit, places)
