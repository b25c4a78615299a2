"""The inverse of a layer of R_Y, applied to ψ and λ at once, and the gradients of its angles.

The derivative by the angle of R_Y(θ) = exp(−iθY/2) is Im⟨λ|Y|ψ⟩ = Σ (λ₁ψ₀ − λ₀ψ₁). The sum runs
over all pairs of amplitudes that differ in the qubit of the gate, for the real and the imaginary
parts separately. The gates of a layer commute, so a sum may be taken before or after any of them is
undone, as long as the same gates are undone on both states. So each group of amplitudes is loaded
once, and is summed and rotated back in registers.
"""

from __future__ import annotations

from typing import Any

from qhn.core.engine.rotation import rotate_elements
from qhn.core.simd.compiled import inlined, kernel
from qhn.core.simd.registers import (
    cross,
    cross4_bit0,
    cross4_bit1,
    cross8_bit0,
    cross8_bit1,
    cross8_bit2,
    load2,
    load4,
    load8,
    rotate2,
    rotate4_bit0,
    rotate4_bit1,
    rotate8_bit0,
    rotate8_bit1,
    rotate8_bit2,
    store2,
    store4,
    store8,
)
from qhn.core.simd.vectors import (
    flip_bit0,
    flip_bit1,
    flip_bit2,
    load,
    multiply,
    multiply_add,
    signed_bit0,
    signed_bit1,
    signed_bit2,
    spread,
    store,
    total,
)


@kernel
def unrotate_elements(ket: Any, bra: Any, cosines: Any, sines: Any, gradient: Any) -> None:
    """Undo R_Y on the element bits 0 to 2, and add their gradients."""
    # `rotate_low` also does bits 3 to 5 in its pass. Here two states of eight vectors, six sums and
    # twelve factors would not fit into 32 registers.
    c0, c1, c2 = spread(cosines[0]), spread(cosines[1]), spread(cosines[2])
    # The inverse of a rotation is the rotation by the opposite angle.
    s0, s1, s2 = signed_bit0(-sines[0]), signed_bit1(-sines[1]), signed_bit2(-sines[2])
    sum0 = sum1 = sum2 = spread(0.0)
    for start in range(0, ket.size, 8):
        k, b = load(ket, start), load(bra, start)
        flipped = flip_bit0(k)
        sum0 = multiply_add(b, flipped, sum0)
        k, b = rotate_elements(c0, s0, k, flipped), rotate_elements(c0, s0, b, flip_bit0(b))
        flipped = flip_bit1(k)
        sum1 = multiply_add(b, flipped, sum1)
        k, b = rotate_elements(c1, s1, k, flipped), rotate_elements(c1, s1, b, flip_bit1(b))
        flipped = flip_bit2(k)
        sum2 = multiply_add(b, flipped, sum2)
        k, b = rotate_elements(c2, s2, k, flipped), rotate_elements(c2, s2, b, flip_bit2(b))
        store(ket, start, k)
        store(bra, start, b)
    # λ₁ψ₀ is added and λ₀ψ₁ is subtracted. The signs are applied once, to the sums, rather than in
    # every step of the loop.
    gradient[0] += total(multiply(signed_bit0(1.0), sum0))
    gradient[1] += total(multiply(signed_bit1(1.0), sum1))
    gradient[2] += total(multiply(signed_bit2(1.0), sum2))


@inlined
def unrotate8(c0: Any, s0: Any, c1: Any, s1: Any, c2: Any, s2: Any, v: Any) -> Any:
    """R_Y on all three bits of the numbers of eight vectors."""
    return rotate8_bit2(c2, s2, rotate8_bit1(c1, s1, rotate8_bit0(c0, s0, v)))


@kernel
def unrotate_three(ket: Any, bra: Any, bit: int, cosines: Any, sines: Any, gradient: Any) -> None:
    """Undo R_Y on bits ``bit`` to ``bit + 2`` above the element bits, and add their gradients."""
    stride = 1 << bit
    c0, c1, c2 = spread(cosines[bit]), spread(cosines[bit + 1]), spread(cosines[bit + 2])
    s0, s1, s2 = spread(-sines[bit]), spread(-sines[bit + 1]), spread(-sines[bit + 2])
    sum0 = sum1 = sum2 = spread(0.0)
    for block in range(0, ket.size, 8 * stride):
        for start in range(block, block + stride, 8):
            k, b = load8(ket, start, stride), load8(bra, start, stride)
            sum0 = cross8_bit0(sum0, k, b)
            sum1 = cross8_bit1(sum1, k, b)
            sum2 = cross8_bit2(sum2, k, b)
            store8(ket, start, stride, unrotate8(c0, s0, c1, s1, c2, s2, k))
            store8(bra, start, stride, unrotate8(c0, s0, c1, s1, c2, s2, b))
    gradient[bit] += total(sum0)
    gradient[bit + 1] += total(sum1)
    gradient[bit + 2] += total(sum2)


@kernel
def unrotate_two(ket: Any, bra: Any, bit: int, cosines: Any, sines: Any, gradient: Any) -> None:
    """Undo R_Y on bits ``bit`` and ``bit + 1``, and add their gradients."""
    stride = 1 << bit
    c0, c1 = spread(cosines[bit]), spread(cosines[bit + 1])
    s0, s1 = spread(-sines[bit]), spread(-sines[bit + 1])
    sum0 = sum1 = spread(0.0)
    for block in range(0, ket.size, 4 * stride):
        for start in range(block, block + stride, 8):
            k, b = load4(ket, start, stride), load4(bra, start, stride)
            sum0 = cross4_bit0(sum0, k, b)
            sum1 = cross4_bit1(sum1, k, b)
            store4(ket, start, stride, rotate4_bit1(c1, s1, rotate4_bit0(c0, s0, k)))
            store4(bra, start, stride, rotate4_bit1(c1, s1, rotate4_bit0(c0, s0, b)))
    gradient[bit] += total(sum0)
    gradient[bit + 1] += total(sum1)


@kernel
def unrotate_one(ket: Any, bra: Any, bit: int, cosines: Any, sines: Any, gradient: Any) -> None:
    """Undo R_Y on one bit, and add its gradient."""
    stride = 1 << bit
    c, s = spread(cosines[bit]), spread(-sines[bit])
    sum0 = spread(0.0)
    for block in range(0, ket.size, 2 * stride):
        for start in range(block, block + stride, 8):
            k, b = load2(ket, start, stride), load2(bra, start, stride)
            sum0 = cross(sum0, k, b, 0, 1)
            store2(ket, start, stride, rotate2(c, s, k))
            store2(bra, start, stride, rotate2(c, s, b))
    gradient[bit] += total(sum0)


@kernel
def unrotate_layer(
    ket: Any, bra: Any, n_bits: int, cosines: Any, sines: Any, gradient: Any
) -> None:
    """Undo R_Y on all ``n_bits`` bits, and add to ``gradient[b]`` for the qubit at bit b."""
    unrotate_elements(ket, bra, cosines, sines, gradient)
    bit = 3
    while n_bits - bit >= 3:
        unrotate_three(ket, bra, bit, cosines, sines, gradient)
        bit += 3
    if n_bits - bit == 2:
        unrotate_two(ket, bra, bit, cosines, sines, gradient)
    elif n_bits - bit == 1:
        unrotate_one(ket, bra, bit, cosines, sines, gradient)
