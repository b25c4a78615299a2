"""Groups of two, four or eight vectors at a stride, and R_Y on the bits of their number.

A group is a tuple of vectors of eight doubles. Vector k of a group is read from ``start + k ·
stride`` of an array. Bit j of the number k belongs to one qubit, so R_Y on this qubit combines
pairs of vectors whose numbers differ in bit j.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import inlined
from qhn.core.simd.vectors import load, multiply, multiply_add, multiply_subtract, store

# Everything here is written out for two, four and eight vectors, because Numba resolves an element
# of a tuple while it compiles only if the index is a constant. A variable index would become a
# branch at every access.


@inlined
def load2(x: Any, start: Any, stride: Any) -> Any:
    """Read two vectors."""
    return load(x, start), load(x, start + stride)


@inlined
def load4(x: Any, start: Any, stride: Any) -> Any:
    """Read four vectors."""
    return load2(x, start, stride) + load2(x, start + 2 * stride, stride)


@inlined
def load8(x: Any, start: Any, stride: Any) -> Any:
    """Read eight vectors."""
    return load4(x, start, stride) + load4(x, start + 4 * stride, stride)


@inlined
def store2(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Write two vectors."""
    store(x, start, group[0])
    store(x, start + stride, group[1])


@inlined
def store4(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Write four vectors."""
    store2(x, start, stride, group[:2])
    store2(x, start + 2 * stride, stride, group[2:])


@inlined
def store8(x: Any, start: Any, stride: Any, group: Any) -> None:
    """Write eight vectors."""
    store4(x, start, stride, group[:4])
    store4(x, start + 4 * stride, stride, group[4:])


@inlined
def rotate(c: Any, s: Any, a: Any, b: Any) -> Any:
    """R_Y(θ) on two vectors: (c·a − s·b, c·b + s·a), where c = cos θ/2 and s = sin θ/2."""
    return multiply_subtract(s, b, multiply(c, a)), multiply_add(s, a, multiply(c, b))


@inlined
def rotate2(c: Any, s: Any, v: Any) -> Any:
    """R_Y on the only bit of a pair of vectors."""
    return rotate(c, s, v[0], v[1])


@inlined
def rotate4_bit0(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 0 of the numbers of four vectors."""
    return rotate2(c, s, v[:2]) + rotate2(c, s, v[2:])


@inlined
def rotate4_bit1(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 1 of the numbers of four vectors."""
    a0, b0 = rotate(c, s, v[0], v[2])
    a1, b1 = rotate(c, s, v[1], v[3])
    return a0, a1, b0, b1


@inlined
def rotate8_bit0(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 0 of the numbers of eight vectors."""
    return rotate4_bit0(c, s, v[:4]) + rotate4_bit0(c, s, v[4:])


@inlined
def rotate8_bit1(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 1 of the numbers of eight vectors."""
    return rotate4_bit1(c, s, v[:4]) + rotate4_bit1(c, s, v[4:])


@inlined
def rotate8_bit2(c: Any, s: Any, v: Any) -> Any:
    """R_Y on bit 2 of the numbers of eight vectors."""
    a0, b0 = rotate(c, s, v[0], v[4])
    a1, b1 = rotate(c, s, v[1], v[5])
    a2, b2 = rotate(c, s, v[2], v[6])
    a3, b3 = rotate(c, s, v[3], v[7])
    return a0, a1, a2, a3, b0, b1, b2, b3


@inlined
def cross(sum_: Any, ket: Any, bra: Any, i: int, j: int) -> Any:
    """``sum_ + bra_j · ket_i − bra_i · ket_j``: what one pair adds to an R_Y gradient."""
    return multiply_add(bra[j], ket[i], multiply_subtract(bra[i], ket[j], sum_))


@inlined
def cross4_bit0(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of four vectors whose numbers differ in bit 0."""
    return cross(cross(sum_, ket, bra, 0, 1), ket, bra, 2, 3)


@inlined
def cross4_bit1(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of four vectors whose numbers differ in bit 1."""
    return cross(cross(sum_, ket, bra, 0, 2), ket, bra, 1, 3)


@inlined
def cross8_bit0(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of eight vectors whose numbers differ in bit 0."""
    return cross4_bit0(cross4_bit0(sum_, ket[:4], bra[:4]), ket[4:], bra[4:])


@inlined
def cross8_bit1(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of eight vectors whose numbers differ in bit 1."""
    return cross4_bit1(cross4_bit1(sum_, ket[:4], bra[:4]), ket[4:], bra[4:])


@inlined
def cross8_bit2(sum_: Any, ket: Any, bra: Any) -> Any:
    """`cross` over the pairs of eight vectors whose numbers differ in bit 2."""
    half = cross(cross(sum_, ket, bra, 0, 4), ket, bra, 1, 5)
    return cross(cross(half, ket, bra, 2, 6), ket, bra, 3, 7)
