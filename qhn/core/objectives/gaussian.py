"""The Gaussian kernel over bit strings, applied to a vector of 2^N doubles.

k(σ, σ') = c^(number of differing bits), so K is the tensor product of N matrices [[1, c], [c, 1]]
and Kx takes one multiply-add per bit and entry. Bits are taken in the same groups as in
`rotation`: six in a first pass over blocks of 64, then three at a time. The first pass may read
another array than it writes.
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
    """[[1, c], [c, 1]] on two vectors."""
    return multiply_add(c, b, a), multiply_add(c, a, b)


@inlined
def mix4(c: Any, v: Any) -> Any:
    """Both bits of four vectors."""
    a, b = mix(c, v[0], v[1])
    d, e = mix(c, v[2], v[3])
    a, d = mix(c, a, d)
    b, e = mix(c, b, e)
    return a, b, d, e


@inlined
def mix8(c: Any, v: Any) -> Any:
    """All three bits of eight vectors."""
    low, high = mix4(c, v[:4]), mix4(c, v[4:])
    a0, b0 = mix(c, low[0], high[0])
    a1, b1 = mix(c, low[1], high[1])
    a2, b2 = mix(c, low[2], high[2])
    a3, b3 = mix(c, low[3], high[3])
    return a0, a1, a2, a3, b0, b1, b2, b3


@inlined
def mix_elements(c: Any, v: Any) -> Any:
    """The three element bits of one vector."""
    v = multiply_add(c, flip_bit0(v), v)
    v = multiply_add(c, flip_bit1(v), v)
    return multiply_add(c, flip_bit2(v), v)


@inlined
def load_shifted(x: Any, start: Any, shift: Any, c: Any) -> Any:
    """x − shift with its elements mixed."""
    return mix_elements(c, subtract(load(x, start), shift))


@kernel
def mix_low(x: Any, shift: float, c: float, out: Any) -> None:
    """Bits 0 to 5 of x − shift, written to ``out``."""
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
    """``out = K (x − shift)`` for at least 64 entries; ``out`` may be ``x``."""
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
    """What turns Σ_jl k(j, l) / m² into its unbiased form, over the pairs j ≠ l of m strings."""
    m = strings.size
    # Counted by distance as whole numbers: no rounding, whatever the order of the strings.
    counts = np.zeros(65, np.int64)
    for j in range(m):
        for other in range(j):
            counts[bit_count(strings[j] ^ strings[other])] += 1
    pairs = 0.0
    for distance in range(65):
        pairs += counts[distance] * c**distance
    return 2.0 * pairs / (m * (m - 1.0)) - (m + 2.0 * pairs) / (m * m)
