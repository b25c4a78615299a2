"""A layer of R_Z and the CNOTs after it, in one pass over the state; and the way back.

The phases multiply an amplitude before it is moved, or on the way back after it has returned.
Plans of the moves come from `permutation`, tables of phases from `tables`.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import inlined, kernel
from qhn.core.simd.vectors import (
    add,
    cnot_bit0_bit2,
    cnot_bit1_bit0,
    cnot_bit2_bit1,
    flip_bit2,
    interleave,
    load,
    multiply,
    multiply_add,
    multiply_subtract,
    spread,
    store,
    total,
)


@inlined
def enter_elements(elements: Any, vector_number: int, v: Any) -> Any:
    """CNOTs on element bits, for a vector that has arrived at ``vector_number``."""
    # The control of this CNOT is bit 3 of the index, the lowest bit of the vector's number.
    if elements[0] != 0 and vector_number & 1:
        v = flip_bit2(v)
    if elements[1] != 0:
        v = cnot_bit2_bit1(v)
    if elements[2] != 0:
        v = cnot_bit1_bit0(v)
    return v


@inlined
def leave_elements(elements: Any, vector_number: int, v: Any) -> Any:
    """The inverse of `enter_elements`."""
    if elements[2] != 0:
        v = cnot_bit1_bit0(v)
    if elements[1] != 0:
        v = cnot_bit2_bit1(v)
    if elements[0] != 0 and vector_number & 1:
        v = flip_bit2(v)
    return v


@kernel
def close_ring(x: Any, bit: int) -> None:
    """CNOT from bit 0 to ``bit``, its own inverse."""
    # A ring of three qubits: both bits lie inside the vector.
    if bit < 3:
        for start in range(0, x.size, 8):
            store(x, start, cnot_bit0_bit2(load(x, start)))
        return
    stride = 1 << bit
    for block in range(0, x.size, 2 * stride):
        for start in range(block, block + stride, 8):
            a, b = load(x, start), load(x, start + stride)
            store(x, start, interleave(a, b))
            store(x, start + stride, interleave(b, a))


@inlined
def phase_at(phases: Any, vector_number: int) -> Any:
    """The eight phases of a vector: the low table times one entry of the high one."""
    high_real, high_imaginary, low_real, low_imaginary = phases
    # The low table's 128 entries are the phases of 16 vectors in a row.
    high, low = vector_number >> 4, (vector_number & 15) * 8
    a, b = spread(high_real[high]), spread(high_imaginary[high])
    c, d = load(low_real, low), load(low_imaginary, low)
    return multiply_subtract(b, d, multiply(a, c)), multiply_add(a, d, multiply(b, c))


@inlined
def turn(phase: Any, re: Any, im: Any) -> Any:
    """Phase · amplitude."""
    c, s = phase
    return multiply_subtract(s, im, multiply(c, re)), multiply_add(s, re, multiply(c, im))


@inlined
def turn_back(phase: Any, re: Any, im: Any) -> Any:
    """Conjugate phase · amplitude."""
    c, s = phase
    return multiply_add(s, im, multiply(c, re)), multiply_subtract(s, re, multiply(c, im))


@kernel
def entangle(re: Any, im: Any, phases: Any, cycles: Any, lengths: Any, elements: Any) -> None:
    """R_Z on all qubits, then the CNOTs of a plan (but for a ring's last one)."""
    flags = elements[0], elements[1], elements[2]
    position = 0
    for row in range(lengths.shape[0]):
        length = lengths[row, 1]
        for _ in range(lengths[row, 0]):
            first = cycles[position]
            source = first
            a, b = load(re, source * 8), load(im, source * 8)
            for step in range(1, length):
                target = cycles[position + step]
                # What lies at the target is read before it is overwritten: no second array is
                # needed.
                next_a, next_b = load(re, target * 8), load(im, target * 8)
                a, b = turn(phase_at(phases, source), a, b)
                store(re, target * 8, enter_elements(flags, target, a))
                store(im, target * 8, enter_elements(flags, target, b))
                source, a, b = target, next_a, next_b
            a, b = turn(phase_at(phases, source), a, b)
            store(re, first * 8, enter_elements(flags, first, a))
            store(im, first * 8, enter_elements(flags, first, b))
            position += length


@inlined
def _return(
    ket: Any, bra: Any, phases: Any, sums: Any, elements: Any, moved: Any, target: int, source: int
) -> Any:
    """Put four vectors that lay at ``source`` back to ``target``; their share of Im⟨λ|…|ψ⟩."""
    a = leave_elements(elements, source, moved[0])
    b = leave_elements(elements, source, moved[1])
    c = leave_elements(elements, source, moved[2])
    d = leave_elements(elements, source, moved[3])
    z = multiply_subtract(d, a, multiply(c, b))
    sums[target] = total(z)
    phase = phase_at(phases, target)
    a, b = turn_back(phase, a, b)
    c, d = turn_back(phase, c, d)
    store(ket[0], target * 8, a)
    store(ket[1], target * 8, b)
    store(bra[0], target * 8, c)
    store(bra[1], target * 8, d)
    return z


@inlined
def _load(ket: Any, bra: Any, vector_number: int) -> Any:
    at = vector_number * 8
    return load(ket[0], at), load(ket[1], at), load(bra[0], at), load(bra[1], at)


@kernel
def disentangle(
    ket: Any,
    bra: Any,
    phases: Any,
    cycles: Any,
    lengths: Any,
    elements: Any,
    sums: Any,
    element_sums: Any,
) -> None:
    """Undo `entangle` on ψ and λ, summing z(x) = Im λ*(x)ψ(x) at the R_Z layer.

    ``sums[v]`` becomes the sum of z over the elements of vector v, ``element_sums`` that over
    vectors.
    """
    flags = elements[0], elements[1], elements[2]
    over_vectors = spread(0.0)
    position = 0
    for row in range(lengths.shape[0]):
        length = lengths[row, 1]
        for _ in range(lengths[row, 0]):
            target = cycles[position]
            # Its place is overwritten first and its content is needed last.
            first = _load(ket, bra, target)
            for step in range(1, length):
                source = cycles[position + step]
                moved = _load(ket, bra, source)
                z = _return(ket, bra, phases, sums, flags, moved, target, source)
                over_vectors = add(over_vectors, z)
                target = source
            z = _return(ket, bra, phases, sums, flags, first, target, cycles[position])
            over_vectors = add(over_vectors, z)
            position += length
    store(element_sums, 0, over_vectors)


@kernel
def phase_gradient(sums: Any, element_sums: Any, n_bits: int, gradient: Any) -> None:
    """R_Z gradients Σ_x (−1)^{x_b} z(x) from the sums of `disentangle`; overwrites ``sums``."""
    size = sums.size
    for bit in range(n_bits - 1, 2, -1):
        size //= 2
        difference = 0.0
        for j in range(size):
            difference += sums[j] - sums[size + j]
            sums[j] += sums[size + j]
        gradient[bit] = difference
    for bit in range(3):
        difference = 0.0
        for element in range(8):
            difference += -element_sums[element] if element >> bit & 1 else element_sums[element]
        gradient[bit] = difference
