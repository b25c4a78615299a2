"""A layer of R_Y on every qubit, applied to a real array.

R_Y is a real matrix, so it acts on the real and on the imaginary part of a state separately. Bits 0
to 5 of the index are rotated in one pass over blocks of 64 doubles, and the higher bits three at a
time. In every pass the eight vectors that belong together stay in registers. ``cosines[b]`` and
``sines[b]`` are cos θ/2 and sin θ/2 of the qubit at bit b.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import inlined, kernel
from qhn.core.simd.registers import (
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
    multiply,
    multiply_add,
    signed_bit0,
    signed_bit1,
    signed_bit2,
    spread,
)


@inlined
def rotate_elements(c: Any, s: Any, vector: Any, flipped: Any) -> Any:
    """R_Y on one element bit.

    ``flipped`` is the vector with that bit flipped. ``s`` is the sine, negative where the bit is 0.
    """
    return multiply_add(s, flipped, multiply(c, vector))


@inlined
def rotate_all_elements(c0: Any, s0: Any, c1: Any, s1: Any, c2: Any, s2: Any, v: Any) -> Any:
    """R_Y on the three element bits of one vector."""
    v = rotate_elements(c0, s0, v, flip_bit0(v))
    v = rotate_elements(c1, s1, v, flip_bit1(v))
    return rotate_elements(c2, s2, v, flip_bit2(v))


@kernel
def rotate_low(x: Any, cosines: Any, sines: Any) -> None:
    """R_Y on bits 0 to 5."""
    c0, c1, c2 = spread(cosines[0]), spread(cosines[1]), spread(cosines[2])
    c3, c4, c5 = spread(cosines[3]), spread(cosines[4]), spread(cosines[5])
    # R_Y maps (a, b) to (c·a − s·b, c·b + s·a): the term of the other amplitude is subtracted where
    # the bit is 0 and added where it is 1. The sine carries this sign.
    s0, s1, s2 = signed_bit0(sines[0]), signed_bit1(sines[1]), signed_bit2(sines[2])
    s3, s4, s5 = spread(sines[3]), spread(sines[4]), spread(sines[5])
    # Bits 0 to 2 lie inside a vector, and bits 3 to 5 are the number of a vector in its block.
    for start in range(0, x.size, 64):
        v = load8(x, start, 8)
        v = (
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[0]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[1]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[2]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[3]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[4]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[5]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[6]),
            rotate_all_elements(c0, s0, c1, s1, c2, s2, v[7]),
        )
        v = rotate8_bit2(c5, s5, rotate8_bit1(c4, s4, rotate8_bit0(c3, s3, v)))
        store8(x, start, 8, v)


@kernel
def rotate_three(x: Any, bit: int, cosines: Any, sines: Any) -> None:
    """R_Y on bits ``bit`` to ``bit + 2``, all above the element bits."""
    stride = 1 << bit
    c0, c1, c2 = spread(cosines[bit]), spread(cosines[bit + 1]), spread(cosines[bit + 2])
    s0, s1, s2 = spread(sines[bit]), spread(sines[bit + 1]), spread(sines[bit + 2])
    for block in range(0, x.size, 8 * stride):
        # The inner loop goes through memory in eight parallel streams, each of them in order, which
        # is what a processor can prefetch.
        for start in range(block, block + stride, 8):
            v = load8(x, start, stride)
            v = rotate8_bit2(c2, s2, rotate8_bit1(c1, s1, rotate8_bit0(c0, s0, v)))
            store8(x, start, stride, v)


@kernel
def rotate_two(x: Any, bit: int, cosines: Any, sines: Any) -> None:
    """R_Y on bits ``bit`` and ``bit + 1``."""
    stride = 1 << bit
    c0, c1 = spread(cosines[bit]), spread(cosines[bit + 1])
    s0, s1 = spread(sines[bit]), spread(sines[bit + 1])
    for block in range(0, x.size, 4 * stride):
        for start in range(block, block + stride, 8):
            v = load4(x, start, stride)
            store4(x, start, stride, rotate4_bit1(c1, s1, rotate4_bit0(c0, s0, v)))


@kernel
def rotate_one(x: Any, bit: int, cosines: Any, sines: Any) -> None:
    """R_Y on one bit."""
    stride = 1 << bit
    c, s = spread(cosines[bit]), spread(sines[bit])
    for block in range(0, x.size, 2 * stride):
        for start in range(block, block + stride, 8):
            store2(x, start, stride, rotate2(c, s, load2(x, start, stride)))


@kernel
def rotate_layer(x: Any, n_bits: int, cosines: Any, sines: Any) -> None:
    """R_Y on all ``n_bits`` bits of the index."""
    rotate_low(x, cosines, sines)
    bit = 6
    while n_bits - bit >= 3:
        rotate_three(x, bit, cosines, sines)
        bit += 3
    if n_bits - bit == 2:
        rotate_two(x, bit, cosines, sines)
    elif n_bits - bit == 1:
        rotate_one(x, bit, cosines, sines)
