"""From amplitudes to probabilities, and from an observable O to the adjoint state λ = Oψ.

CNOTs after the last rotations only permute the probabilities. So they are applied to q and to O
here, and never to the state.
"""

from __future__ import annotations

from typing import Any

from qhn.core.engine.entangling import close_ring, enter_elements, leave_elements
from qhn.core.simd.compiled import kernel
from qhn.core.simd.vectors import cnot_bit0_bit2, interleave, load, multiply, multiply_add, store


@kernel
def measure(re: Any, im: Any, q: Any) -> None:
    """Fill ``q`` with |ψ|²."""
    for i in range(0, q.size, 8):
        a, b = load(re, i), load(im, i)
        store(q, i, multiply_add(a, a, multiply(b, b)))


@kernel
def measure_entangled(
    re: Any, im: Any, q: Any, cycles: Any, lengths: Any, elements: Any, ring: int
) -> None:
    """The distribution q of the state ψ after the CNOTs of a plan have acted on it."""
    flags = elements[0], elements[1], elements[2]
    position = 0
    for row in range(lengths.shape[0]):
        length = lengths[row, 1]
        for _ in range(lengths[row, 0]):
            # The state itself is not moved: the reverse pass starts from it as it is, with an
            # observable that is moved instead.
            for step in range(length):
                source = cycles[position + step]
                target = cycles[position + (step + 1 if step + 1 < length else 0)]
                a, b = load(re, source * 8), load(im, source * 8)
                moved = enter_elements(flags, target, multiply_add(a, a, multiply(b, b)))
                store(q, target * 8, moved)
            position += length
    if ring != 0:
        close_ring(q, ring)


@kernel
def weigh(ket: Any, bra: Any, observable: Any) -> None:
    """Fill ``bra`` with the adjoint state λ = Oψ."""
    for i in range(0, observable.size, 8):
        weight = load(observable, i)
        store(bra[0], i, multiply(weight, load(ket[0], i)))
        store(bra[1], i, multiply(weight, load(ket[1], i)))


@kernel
def weigh_entangled(
    ket: Any, bra: Any, observable: Any, cycles: Any, lengths: Any, elements: Any, ring: int
) -> None:
    """λ = Oψ before the CNOTs of a plan, for an observable that is given after them."""
    flags = elements[0], elements[1], elements[2]
    # The bit of the index that a ring's last CNOT flips, where that bit lies above the elements.
    partner = (1 << ring) if ring >= 3 else 0
    position = 0
    for row in range(lengths.shape[0]):
        length = lengths[row, 1]
        for _ in range(lengths[row, 0]):
            for step in range(length):
                source = cycles[position + step]
                target = cycles[position + (step + 1 if step + 1 < length else 0)]
                weight = load(observable, target * 8)
                # The last CNOT of a ring exchanges the odd elements of two vectors that differ in
                # the highest bit. They are read from the other vector at once, so that no second
                # array is needed for the observable.
                if ring >= 3:
                    weight = interleave(weight, load(observable, target * 8 ^ partner))
                elif ring != 0:
                    # In a ring of three qubits the highest bit lies inside the vector.
                    weight = cnot_bit0_bit2(weight)
                weight = leave_elements(flags, target, weight)
                store(bra[0], source * 8, multiply(weight, load(ket[0], source * 8)))
                store(bra[1], source * 8, multiply(weight, load(ket[1], source * 8)))
            position += length
