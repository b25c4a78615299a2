"""The CNOTs of a layer as a plan for moving amplitudes, computed once for each ansatz.

A layer of CNOTs permutes the basis states. The state is stored as vectors of eight amplitudes, and
on these vectors every entangler of `Ansatz` does three things, in this order:

1. CNOTs among the bits above the element bits move whole vectors. The plan lists the cycles of this
   permutation, so that vectors can be moved along a cycle without a second array.
2. The CNOTs from bit 3 to 2, from 2 to 1 and from 1 to 0, if the layer has them, permute elements.
3. The last CNOT of a ring, from bit 0 to the highest bit, exchanges the odd elements of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import IntArray

ELEMENT_BITS = 3


class Permutations(NamedTuple):
    """The plans of all distinct CNOT layers of an ansatz, stacked along the first axis.

    Attributes:
        cycles: numbers of vectors, cycle after cycle, shape ``(plans, 2^(n−3))``. The content of
            each vector moves to the next one in its cycle, and that of the last one to the first.
        lengths: shape ``(plans, rows, 2)``. Each row says how many cycles follow, and how long each
            of them is, in the order of ``cycles``. Rows at the end may be zero.
        elements: 1 where a plan has the CNOT from bit 3 to 2, from 2 to 1, and from 1 to 0; shape
            ``(plans, 3)``.
        ring: the target of the CNOT from bit 0 that closes a ring, 0 if there is none; shape
            ``(plans,)``.
        of_layer: numbers of plans, shape ``(depth,)``. Entry l is the plan between the rotations of
            layers l and l + 1. The last entry is the plan after all rotations, −1 if there is none.
    """

    cycles: NDArray[np.int32]
    lengths: IntArray
    elements: IntArray
    ring: IntArray
    of_layer: IntArray


@dataclass(frozen=True)
class _Plan:
    cycles: NDArray[np.int32]
    lengths: IntArray
    elements: tuple[int, int, int]
    ring: int


def plan_permutations(ansatz: Ansatz, n_bits: int) -> Permutations:
    """The plans for a register of ``n_bits`` bits, the lowest N of which are the qubits."""
    # CNOTs leave |0…0⟩ as it is, so those at the very beginning of a circuit are skipped.
    if ansatz.entanglers_first:
        layers = [ansatz.cnots(layer) for layer in range(1, ansatz.depth)] + [()]
    else:
        layers = [ansatz.cnots(layer) for layer in range(ansatz.depth)]
    distinct = list(dict.fromkeys(layers))
    plans = [_plan(pairs, ansatz.n_qubits, n_bits) for pairs in distinct]
    rows = max(len(plan.lengths) for plan in plans)
    of_layer = [distinct.index(pairs) for pairs in layers]
    if not layers[-1]:
        of_layer[-1] = -1
    return Permutations(
        cycles=np.stack([plan.cycles for plan in plans]),
        lengths=np.stack(
            [np.pad(plan.lengths, ((0, rows - len(plan.lengths)), (0, 0))) for plan in plans]
        ),
        elements=np.array([plan.elements for plan in plans], dtype=np.int64),
        ring=np.array([plan.ring for plan in plans], dtype=np.int64),
        of_layer=np.array(of_layer, dtype=np.int64),
    )


def _plan(pairs: tuple[tuple[int, int], ...], n_qubits: int, n_bits: int) -> _Plan:
    # Entry v is the number of the place to which the content of vector v moves.
    destination = np.arange(2 ** (n_bits - ELEMENT_BITS))
    elements = [0, 0, 0]
    ring = 0
    for control_qubit, target_qubit in pairs:
        # Qubit 0 is the highest bit of the index.
        control, target = n_qubits - 1 - control_qubit, n_qubits - 1 - target_qubit
        # Only the last CNOT of a ring is controlled by the lowest bit.
        if control == 0:
            ring = target
        elif target >= ELEMENT_BITS:
            # The CNOTs of a layer act one after the other, so this one acts on the place to which
            # those before it have moved a vector.
            control_bit = destination >> (control - ELEMENT_BITS) & 1
            destination ^= control_bit << (target - ELEMENT_BITS)
        else:
            elements[2 - target] = 1
    cycles, lengths = _cycles(destination)
    return _Plan(cycles, lengths, (elements[0], elements[1], elements[2]), ring)


def _cycles(destination: IntArray) -> tuple[NDArray[np.int32], IntArray]:
    """The cycles of a permutation, and rows (how many, how long), short cycles first.

    Cycles of equal length follow each other, so that the processor can predict the inner loops.
    """
    start = np.arange(destination.size)
    # The smallest member of a vector's cycle, and the length of that cycle as soon as it is known.
    least, length = start.copy(), np.zeros_like(start)
    moved, steps = destination.copy(), 1
    # All vectors are moved on until each has come back to its start. This takes few steps, because
    # the order of an entangler's permutation is small: that of a chain over k bits is the next
    # power of two.
    while not length.all():
        length[(moved == start) & (length == 0)] = steps
        np.minimum(least, moved, out=least)
        moved, steps = destination[moved], steps + 1
    parts, lengths = [], []
    for size in np.unique(length).tolist():
        # Each cycle begins at its smallest member, so that it is listed once.
        cycle = [np.flatnonzero((least == start) & (length == size))]
        for _ in range(1, size):
            cycle.append(destination[cycle[-1]])
        parts.append(np.stack(cycle, axis=1).ravel())
        lengths.append((len(cycle[0]), size))
    return np.concatenate(parts).astype(np.int32), np.array(lengths, dtype=np.int64)
