"""A layer of R_Z and the CNOTs after it, in one pass over the state, and the inverse of that pass.

CNOTs permute the amplitudes, and R_Z multiplies each of them by a phase. The phase multiplies an
amplitude before it is moved; in the inverse pass, after it has been moved back. `permutation` plans
the moves, and `tables` fills the tables of phases. Vectors hold eight amplitudes each; a vector's
number is the index of its first amplitude divided by eight.
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
    """Apply the CNOTs on element bits to a vector that has been moved to ``vector_number``.

    ``elements`` says which of the CNOTs from bit 3 to 2, 2 to 1 and 1 to 0 the layer has.
    """
    # Bit 3 of the index, the control of the first CNOT, is the lowest bit of the vector's number.
    if elements[0] != 0 and vector_number & 1:
        v = flip_bit2(v)
    if elements[1] != 0:
        v = cnot_bit2_bit1(v)
    if elements[2] != 0:
        v = cnot_bit1_bit0(v)
    return v


@inlined
def leave_elements(elements: Any, vector_number: int, v: Any) -> Any:
    """The inverse of `enter_elements`: the same CNOTs in the opposite order."""
    if elements[2] != 0:
        v = cnot_bit1_bit0(v)
    if elements[1] != 0:
        v = cnot_bit2_bit1(v)
    if elements[0] != 0 and vector_number & 1:
        v = flip_bit2(v)
    return v


@kernel
def close_ring(x: Any, bit: int) -> None:
    """The CNOT from bit 0 to ``bit`` that closes a ring. It is its own inverse."""
    # In a ring of three qubits both bits lie inside a vector.
    if bit < 3:
        for start in range(0, x.size, 8):
            store(x, start, cnot_bit0_bit2(load(x, start)))
        return
    stride = 1 << bit
    for block in range(0, x.size, 2 * stride):
        for start in range(block, block + stride, 8):
            a, b = load(x, start), load(x, start + stride)
            # Bit 0 is 1 in the odd elements: these change places, the even ones stay.
            store(x, start, interleave(a, b))
            store(x, start + stride, interleave(b, a))


@inlined
def phase_at(phases: Any, vector_number: int) -> Any:
    """The eight phases of a vector, as real and imaginary parts.

    They are eight entries of the low table times one entry of the high table.
    """
    high_real, high_imaginary, low_real, low_imaginary = phases
    # The 128 entries of the low table belong to 16 consecutive vectors.
    high, low = vector_number >> 4, (vector_number & 15) * 8
    a, b = spread(high_real[high]), spread(high_imaginary[high])
    c, d = load(low_real, low), load(low_imaginary, low)
    return multiply_subtract(b, d, multiply(a, c)), multiply_add(a, d, multiply(b, c))


@inlined
def turn(phase: Any, re: Any, im: Any) -> Any:
    """The product of phases and amplitudes."""
    c, s = phase
    return multiply_subtract(s, im, multiply(c, re)), multiply_add(s, re, multiply(c, im))


@inlined
def turn_back(phase: Any, re: Any, im: Any) -> Any:
    """The product of conjugate phases and amplitudes."""
    c, s = phase
    return multiply_add(s, im, multiply(c, re)), multiply_subtract(s, re, multiply(c, im))


@kernel
def entangle(re: Any, im: Any, phases: Any, cycles: Any, lengths: Any, elements: Any) -> None:
    """R_Z on all qubits, then the CNOTs of a plan, except for the one that closes a ring.

    ``cycles``, ``lengths`` and ``elements`` are one plan of `permutation.Permutations`.
    """
    # The flags are read once: the compiler cannot know that the writes below leave ``elements`` as
    # it is, and would read them again in every round.
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
                # The vector at the target is read before it is overwritten, and is moved next. So
                # the permutation needs no second array.
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
    """Move the four vectors (re and im of ψ and λ) at ``source`` back to ``target``.

    Returns z = Im λ*ψ of these eight amplitudes, computed when the CNOTs have been undone and R_Z
    has not, and writes the sum of z to ``sums[target]``.
    """
    a = leave_elements(elements, source, moved[0])
    b = leave_elements(elements, source, moved[1])
    c = leave_elements(elements, source, moved[2])
    d = leave_elements(elements, source, moved[3])
    z = multiply_subtract(d, a, multiply(c, b))
    sums[target] = total(z)
    phase = phase_at(phases, target)
    a, b = turn_back(phase, a, b)
    c, d = turn_back(phase, c, d)
    # R_Z multiplies ψ and λ by the same phases, so z would be the same after it is undone.
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
    """Undo `entangle` on ψ and λ, and sum up z(x) = Im λ*(x)ψ(x) at the R_Z layer.

    ``sums[v]`` becomes the sum of z over the eight elements of vector v, and ``element_sums[e]``
    the sum of z over all vectors at element e. `phase_gradient` makes the gradients of the R_Z
    angles from these two.
    """
    flags = elements[0], elements[1], elements[2]
    over_vectors = spread(0.0)
    position = 0
    for row in range(lengths.shape[0]):
        length = lengths[row, 1]
        for _ in range(lengths[row, 0]):
            target = cycles[position]
            # The first place of a cycle is overwritten first, but its content is moved last.
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
    """R_Z gradients Σ_x (−1)^{x_b} z(x) of every bit b, from the sums of `disentangle`.

    ``sums`` is overwritten.
    """
    size = sums.size
    # The highest bit comes first. When a bit is done, its two halves are added, so that each bit
    # needs half as many additions as the one before.
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
