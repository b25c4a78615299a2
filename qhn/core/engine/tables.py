"""Small tables over the bits of an index, whose products are product states and phases.

The R_Z gates of a layer are one diagonal matrix, exp(−i/2 Σ_b φ_b (−1)^{x_b}), and the first
rotation layer makes a product state. Both are the outer product of a table over bits 0 to 6 (128
entries) and a table over the bits above.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn.core.simd.compiled import kernel

LOW = 7
LOW_SIZE = 1 << LOW


@kernel
def fill_product(table: Any, cosines: Any, sines: Any, first: int, last: int) -> None:
    """``table[j] = Π_b (sines[b] if j_b else cosines[b])``, where b runs from first to last − 1.

    Bit b of the register is bit b − first of j.
    """
    table[0] = 1.0
    size = 1
    for bit in range(first, last):
        for j in range(size):
            # The upper half is filled first, from the lower half as it was before this bit.
            table[size + j] = table[j] * sines[bit]
            table[j] *= cosines[bit]
        size *= 2


@kernel
def fill_phases(real: Any, imaginary: Any, angles: Any, first: int, last: int) -> None:
    """``exp(−i/2 Σ_b angles[b] (−1)^{j_b})`` in two arrays, where b runs from first to last − 1."""
    # Only entry 0 and the factor of each bit need sines. All other entries are products of these.
    whole = 0.0
    for bit in range(first, last):
        whole += angles[bit]
    real[0] = np.cos(whole / 2)
    imaginary[0] = -np.sin(whole / 2)
    size = 1
    for bit in range(first, last):
        # A bit that changes from 0 to 1 turns exp(−iφ/2) into exp(+iφ/2): a factor of exp(iφ).
        c, s = np.cos(angles[bit]), np.sin(angles[bit])
        for j in range(size):
            real[size + j] = real[j] * c - imaginary[j] * s
            imaginary[size + j] = real[j] * s + imaginary[j] * c
        size *= 2
