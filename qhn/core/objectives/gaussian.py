"""The matrix K of the Gaussian kernel on bit strings, applied to a vector of 2^N doubles.

k(σ, σ') = c^(number of differing bits), so K is the tensor product of N matrices [[1, c], [c, 1]],
and Kx takes one multiply-add for each bit and entry. The bits are done in the same groups as in
`rotation`: six of them in a first pass over blocks of 64 doubles, and then three in each pass. The
first pass may read from one array and write to another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn.core.simd.compiled import inlined, kernel
from qhn.core.simd.registers import load2, load4, load8, store2, store4, store8
from qhn.core.simd.vectors import (
    bit_count,
    flip_bit0,
    flip_bit1,
    flip_bit2,
    load,
    multiply_add,
    spread,
    subtract,
)


@inlined
def mix(c: Any, a: Any, b: Any) -> Any:
    """The matrix [[1, c], [c, 1]] applied to a pair of vectors."""
    return multiply_add(c, b, a), multiply_add(c, a, b)


@inlined
def mix4(c: Any, v: Any) -> Any:
    """`mix` on both bits of the numbers of four vectors."""
    a, b = mix(c, v[0], v[1])
    d, e = mix(c, v[2], v[3])
    a, d = mix(c, a, d)
    b, e = mix(c, b, e)
    return a, b, d, e


@inlined
def mix8(c: Any, v: Any) -> Any:
    """`mix` on all three bits of the numbers of eight vectors."""
    low, high = mix4(c, v[:4]), mix4(c, v[4:])
    a0, b0 = mix(c, low[0], high[0])
    a1, b1 = mix(c, low[1], high[1])
    a2, b2 = mix(c, low[2], high[2])
    a3, b3 = mix(c, low[3], high[3])
    return a0, a1, a2, a3, b0, b1, b2, b3


@inlined
def mix_elements(c: Any, v: Any) -> Any:
    """`mix` on the three element bits of one vector."""
    # The same matrix for a bit inside a vector: each element plus c times its neighbour.
    v = multiply_add(c, flip_bit0(v), v)
    v = multiply_add(c, flip_bit1(v), v)
    return multiply_add(c, flip_bit2(v), v)


@inlined
def load_shifted(x: Any, start: Any, shift: Any, c: Any) -> Any:
    """Load x − shift, with its element bits mixed."""
    return mix_elements(c, subtract(load(x, start), shift))


@kernel
def mix_low(x: Any, shift: float, c: float, out: Any) -> None:
    """Mix bits 0 to 5 of x − shift, and write the result to ``out``."""
    factor, offset = spread(c), spread(shift)
    for start in range(0, x.size, 64):
        v = (
            load_shifted(x, start, offset, factor),
            load_shifted(x, start + 8, offset, factor),
            load_shifted(x, start + 16, offset, factor),
            load_shifted(x, start + 24, offset, factor),
            load_shifted(x, start + 32, offset, factor),
            load_shifted(x, start + 40, offset, factor),
            load_shifted(x, start + 48, offset, factor),
            load_shifted(x, start + 56, offset, factor),
        )
        store8(out, start, 8, mix8(factor, v))


@kernel
def apply_gaussian(x: Any, shift: float, c: float, out: Any) -> None:
    """Fill ``out = K (x − shift)``, for at least 64 entries. ``out`` may be ``x``."""
    # The shift is subtracted from x before K is applied, and not afterwards: where x is close to
    # the shift, the difference of two large results would have few correct digits.
    mix_low(x, shift, c, out)
    factor = spread(c)
    stride = 64
    while 8 * stride <= out.size:
        for block in range(0, out.size, 8 * stride):
            for start in range(block, block + stride, 8):
                store8(out, start, stride, mix8(factor, load8(out, start, stride)))
        stride *= 8
    if 4 * stride == out.size:
        for start in range(0, stride, 8):
            store4(out, start, stride, mix4(factor, load4(out, start, stride)))
    elif 2 * stride == out.size:
        for start in range(0, stride, 8):
            v = load2(out, start, stride)
            store2(out, start, stride, mix(factor, v[0], v[1]))


@kernel
def off_diagonal(strings: Any, c: float) -> Any:
    """The difference Σ_{j≠l} k(j, l) / (m(m − 1)) − Σ_jl k(j, l) / m² over m strings.

    Added to MMD², it replaces the biased mean over all pairs by the unbiased one over the pairs of
    different strings.
    """
    m = strings.size
    # Pairs are counted by their distance. These are whole numbers, so the result does not depend on
    # the order of the strings.
    counts = np.zeros(65, np.int64)
    for j in range(m):
        for other in range(j):
            counts[bit_count(strings[j] ^ strings[other])] += 1
    pairs = 0.0
    for distance in range(65):
        pairs += counts[distance] * c**distance
    return 2.0 * pairs / (m * (m - 1.0)) - (m + 2.0 * pairs) / (m * m)
