"""The CNOTs of one layer as a plan for moving amplitudes, computed once per ansatz.

CNOTs permute basis states, and the permutation is linear over GF(2). Seen as vectors of eight
amplitudes, every entangler of `Ansatz` does three things, in this order:

1. it moves whole vectors (CNOTs among the bits above the elements), along cycles that are listed
   here, so that the move needs no second array;
2. it permutes elements (bit 3 on 2, 2 on 1 and 1 on 0, where the layer has them);
3. a ring's last CNOT, from bit 0 to the highest bit, exchanges the odd elements of vectors.
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
    """Plans of all distinct CNOT layers of an ansatz, stacked over their first axis.

    Attributes:
        cycles: vector numbers, cycle after cycle, shape ``(plans, 2^(n−3))``; the content of
            each moves to the next one of its cycle, the last one's to the first.
        lengths: rows (how many cycles, how long each), in the order of ``cycles``.
        elements: flags (bit 3 on 2, bit 2 on 1, bit 1 on 0), shape ``(plans, 3)``.
        ring: the bit on which bit 0 acts last, or 0, shape ``(plans,)``.
        of_layer: the plan that precedes the rotations of each layer from the second on; the
            last entry is the one that follows all rotations, or −1 if there is none.
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
    """Plans for a register of ``n_bits`` bits, whose lowest N are the qubits of the ansatz."""
    # The first CNOTs of a circuit that begins with them meet |0…0⟩, which they leave as it is.
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
    destination = np.arange(2 ** (n_bits - ELEMENT_BITS))
    elements = [0, 0, 0]
    ring = 0
    for control_qubit, target_qubit in pairs:
        control, target = n_qubits - 1 - control_qubit, n_qubits - 1 - target_qubit
        # Only the last CNOT of a ring has the lowest bit as its control.
        if control == 0:
            ring = target
        elif target >= ELEMENT_BITS:
            # Each CNOT acts on where those before it have moved a vector.
            control_bit = destination >> (control - ELEMENT_BITS) & 1
            destination ^= control_bit << (target - ELEMENT_BITS)
        else:
            elements[2 - target] = 1
    cycles, lengths = _cycles(destination)
    return _Plan(cycles, lengths, (elements[0], elements[1], elements[2]), ring)


def _cycles(destination: IntArray) -> tuple[NDArray[np.int32], IntArray]:
    """Cycles of a permutation, short ones first: loops over equal lengths predict well."""
    start = np.arange(destination.size)
    least, length = start.copy(), np.zeros_like(start)
    moved, steps = destination.copy(), 1
    # Entanglers have small orders (a chain over k bits the next power of two), so few steps do.
    while not length.all():
        length[(moved == start) & (length == 0)] = steps
        np.minimum(least, moved, out=least)
        moved, steps = destination[moved], steps + 1
    parts, lengths = [], []
    for size in np.unique(length).tolist():
        cycle = [np.flatnonzero((least == start) & (length == size))]
        for _ in range(1, size):
            cycle.append(destination[cycle[-1]])
        parts.append(np.stack(cycle, axis=1).ravel())
        lengths.append((len(cycle[0]), size))
    return np.concatenate(parts).astype(np.int32), np.array(lengths, dtype=np.int64)
