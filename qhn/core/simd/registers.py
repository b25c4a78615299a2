"""Groups of two, four and eight vectors at a stride, and R_Y on the bits that number them.

A group is a tuple: vector k lies at ``start + k · stride``. Bit j of k stands for one qubit.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import inlined
from qhn.core.simd.vectors import load, multiply, multiply_add, multiply_subtract, store


@inlined
def load2(x: Any, start: Any, stride: Any) -> Any:
    """Two vectors, read."""
    return load(x, start), load(x, start + stride)


@inlined
def load4(x: Any, start: Any, stride: Any) -> Any:
    """Four vectors, read."""
    return load2(x, start, stride) + load2(x, start + 2 * stride, stride)


@inlined
def load8(x: Any, start: Any, stride: Any) -> Any:
    """Eight vectors, read."""
    return load4(x, start, stride) + load4(x, start + 4 * stride, stride)


@inlined
def store2(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Two vectors, written."""
    store(x, start, group[0])
    store(x, start + stride, group[1])


@inlined
def store4(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Four vectors, written."""
    store2(x, start, stride, group[:2])
    store2(x, start + 2 * stride, stride, group[2:])


@inlined
def store8(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Eight vectors, written."""
    store4(x, start, stride, group[:4])
    store4(x, start + 4 * stride, stride, group[4:])


@inlined
def rotate(c: Any, s: Any, a: Any, b: Any) -> Any:
    """R_Y on two vectors: (c·a − s·b, c·b + s·a)."""
    return multiply_subtract(s, b, multiply(c, a)), multiply_add(s, a, multiply(c, b))


@inlined
def rotate2(c: Any, s: Any, v: Any) -> Any:
    """R_Y on the one bit of a pair."""
    return rotate(c, s, v[0], v[1])


@inlined
def rotate4_bit0(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 0 of four."""
    return rotate2(c, s, v[:2]) + rotate2(c, s, v[2:])


@inlined
def rotate4_bit1(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 1 of four."""
    a0, b0 = rotate(c, s, v[0], v[2])
    a1, b1 = rotate(c, s, v[1], v[3])
    return a0, a1, b0, b1


@inlined
def rotate8_bit0(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 0 of eight."""
    return rotate4_bit0(c, s, v[:4]) + rotate4_bit0(c, s, v[4:])


@inlined
def rotate8_bit1(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 1 of eight."""
    return rotate4_bit1(c, s, v[:4]) + rotate4_bit1(c, s, v[4:])


@inlined
def rotate8_bit2(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 2 of eight."""
    a0, b0 = rotate(c, s, v[0], v[4])
    a1, b1 = rotate(c, s, v[1], v[5])
    a2, b2 = rotate(c, s, v[2], v[6])
    a3, b3 = rotate(c, s, v[3], v[7])
    return a0, a1, a2, a3, b0, b1, b2, b3


@inlined
def cross(sum_: Any, ket: Any, bra: Any, i: int, j: int) -> Any:
    """``sum_ + bra_j · ket_i − bra_i · ket_j``: one pair's share of an R_Y gradient."""
    return multiply_add(bra[j], ket[i], multiply_subtract(bra[i], ket[j], sum_))


@inlined
def cross4_bit0(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of bit 0 of four."""
    return cross(cross(sum_, ket, bra, 0, 1), ket, bra, 2, 3)


@inlined
def cross4_bit1(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of bit 1 of four."""
    return cross(cross(sum_, ket, bra, 0, 2), ket, bra, 1, 3)


@inlined
def cross8_bit0(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of bit 0 of eight."""
    return cross4_bit0(cross4_bit0(sum_, ket[:4], bra[:4]), ket[4:], bra[4:])


@inlined
def cross8_bit1(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of bit 1 of eight."""
    return cross4_bit1(cross4_bit1(sum_, ket[:4], bra[:4]), ket[4:], bra[4:])


@inlined
def cross8_bit2(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of bit 2 of eight."""
    half = cross(cross(sum_, ket, bra, 0, 4), ket, bra, 1, 5)
    return cross(cross(half, ket, bra, 2, 6), ket, bra, 3, 7)
