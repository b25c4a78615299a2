"""Pauli frames: a circuit with Pauli errors is the circuit itself with other signs of its angles.

A Pauli P = X^x Z^z on each qubit (up to a phase) is carried from its gate to the end of the
circuit, where it flips the outcomes of the qubits with x = 1. On its way it changes as follows:

* R(θ)P = P R(±θ) for R = exp(−iθG/2), with the minus sign if P and G anticommute. So the angle of
  RY changes its sign if x ≠ z, that of RZ if x = 1, and the frame (x, z) stays as it is.
* A CNOT takes X from its control to its target as well, and Z from its target to its control:
  x_t ← x_t ⊕ x_c and z_c ← z_c ⊕ z_t.
* An error multiplies the frame by its Pauli.

So a trajectory costs one run of the exact engine, and trajectories with the same signs share it.
Pauli frames are Knill's (arXiv quant-ph/0410199); Gidney's Stim (arXiv 2103.02202) draws the
samples of Clifford circuits in this way. Rotations only add the signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.noise.depolarising import Depolarising, Faults, draw_faults


@dataclass(frozen=True)
class Group:
    """Trajectories whose circuits are the same.

    Attributes:
        signs: 1.0 or −1.0 for each angle, shape ``(depth, 2, N)``.
        members: the numbers of the trajectories, ascending.
        masks: the distinct masks of the members, ascending, shape ``(M,)``.
        counts: how many members have each of these masks, shape ``(M,)``.
    """

    signs: FloatArray
    members: IntArray
    masks: IntArray
    counts: IntArray


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of T trajectories at the end of a circuit.

    An outcome of trajectory t is an outcome of the circuit with the angles ``signs[t] * angles``,
    XOR ``masks[t]``.

    Attributes:
        signs: 1 or −1 for each angle, int8, shape ``(T, depth, 2, N)``. The signs of the last RZ
            layer are all 1, because no probability depends on these angles.
        masks: XOR masks of basis-state indices (qubit 0 is the highest bit), shape ``(T,)``.
    """

    signs: NDArray[np.int8]
    masks: IntArray

    def __len__(self) -> int:
        return len(self.masks)

    def part(self, chosen: slice) -> Frames:
        """Some of the trajectories, by their numbers."""
        return Frames(self.signs[chosen], self.masks[chosen])

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The trajectories, grouped by their signs."""
        first, group_of = _distinct(self.signs < 0)
        by_group = np.argsort(group_of, kind="stable")
        members = np.split(by_group, np.cumsum(np.bincount(group_of))[:-1])
        return tuple(
            Group(
                self.signs[first[k]].astype(np.float64),
                of_group,
                *np.unique(self.masks[of_group], return_counts=True),
            )
            for k, of_group in enumerate(members)
        )


def _distinct(flips: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """The first trajectory of each distinct pattern of flips, and the pattern of each trajectory.

    ``flips`` has the shape ``(T, …)``.
    """
    packed = np.packbits(flips.reshape(len(flips), -1), axis=1)
    # One opaque value for each row. `np.unique(…, axis=0)` does the same, but compares byte by
    # byte.
    opaque: NDArray[Any] = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, pattern = np.unique(opaque, return_index=True, return_inverse=True)
    return first, pattern


def carry_faults(ansatz: Ansatz, faults: Faults) -> Frames:
    """Carry the Paulis of given faults through a circuit to its end.

    Gates that the engine skips are followed by errors like all others: those of the first CNOTs,
    which leave |0…0⟩ as it is, and those of the last RZ layer.
    """
    trajectories = faults.rotations.shape[-1]
    n_qubits = ansatz.n_qubits
    x = np.zeros((n_qubits, trajectories), dtype=np.uint8)
    z = np.zeros_like(x)
    flips = np.zeros((*ansatz.parameter_shape, trajectories), dtype=np.uint8)
    after_cnots = iter(faults.cnots)
    for layer in range(ansatz.depth):
        if not ansatz.entanglers_first:
            _rotate(x, z, faults.rotations[layer], flips[layer])
        for control, target in ansatz.cnots(layer):
            x[target] ^= x[control]
            z[control] ^= z[target]
            pauli = next(after_cnots)
            x[control] ^= pauli >> 3
            z[control] ^= pauli >> 2 & 1
            x[target] ^= pauli >> 1 & 1
            z[target] ^= pauli & 1
        if ansatz.entanglers_first:
            if layer == 0:
                # Before the first rotation every qubit is in state 0, which Z leaves as it is.
                z[:] = 0
            _rotate(x, z, faults.rotations[layer], flips[layer])
    flips[-1, 1] = 0
    signs = np.moveaxis(1 - 2 * flips.astype(np.int8), -1, 0)
    places = 1 << np.arange(n_qubits - 1, -1, -1, dtype=np.int64)
    return Frames(np.ascontiguousarray(signs), places @ x.astype(np.int64))


def _rotate(x: Any, z: Any, faults: Any, flips: Any) -> None:
    """Carry frames through the RY and then the RZ of one layer, and note which angles flip."""
    flips[0] = x ^ z
    x ^= faults[0] >> 1
    z ^= faults[0] & 1
    flips[1] = x
    x ^= faults[1] >> 1
    z ^= faults[1] & 1


def draw_frames(
    ansatz: Ansatz, noise: Depolarising, trajectories: int, rng: np.random.Generator
) -> Frames:
    """Draw the Pauli errors of some trajectories, and carry them to the end of the circuit.

    Args:
        ansatz: the circuit.
        noise: the probabilities of errors.
        trajectories: T, how many trajectories to draw.
        rng: gives one uniform number for each gate and trajectory.

    Raises:
        InvalidValueError: if ``trajectories`` is not a whole number from 1 on.
    """
    count = check_count("trajectories", trajectories)
    return carry_faults(ansatz, draw_faults(ansatz, noise, count, rng))
