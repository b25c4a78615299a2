"""The first rotation layer: it meets |0…0⟩, so it makes a product state, with real amplitudes.

ψ(x) = A(x >> 7) · B(x & 127), with A and B filled by `tables.fill_product`. The R_Z of that layer
come with the next entangling pass.
"""

from __future__ import annotations

from typing import Any

from qhn.core.engine.tables import LOW_SIZE
from qhn.core.simd.compiled import kernel
from qhn.core.simd.vectors import load, multiply, multiply_add, spread, store, total


@kernel
def fill_state(re: Any, im: Any, high: Any, low: Any) -> None:
    """The product state of two tables."""
    # R_Y is real, and so is what it makes of |0…0⟩.
    zero = spread(0.0)
    for a in range(high.size):
        factor = spread(high[a])
        for b in range(0, LOW_SIZE, 8):
            store(re, a * LOW_SIZE + b, multiply(factor, load(low, b)))
            store(im, a * LOW_SIZE + b, zero)


@kernel
def product_gradient(
    bra: Any, high: Any, low: Any, by_high: Any, by_low: Any, gradient: Any
) -> None:
    """R_Y gradients of the first layer, from the real part of λ alone.

    λ is first summed against each of the two tables; what remains are sums over small tables.
    ``by_high`` and ``by_low`` are scratch of the sizes of ``high`` and ``low``.
    """
    by_low[:] = 0.0
    for a in range(high.size):
        factor = spread(high[a])
        along = spread(0.0)
        for b in range(0, LOW_SIZE, 8):
            vector = load(bra, a * LOW_SIZE + b)
            along = multiply_add(vector, load(low, b), along)
            store(by_low, b, multiply_add(vector, factor, load(by_low, b)))
        by_high[a] = total(along)
    bit = _table_gradient(low, by_low, gradient, 0)
    _table_gradient(high, by_high, gradient, bit)


@kernel
def _table_gradient(table: Any, dual: Any, gradient: Any, bit: int) -> Any:
    """Σ (dual₁ table₀ − dual₀ table₁) over pairs, for each bit of a table's index."""
    stride = 1
    while stride < table.size:
        sum_ = 0.0
        for block in range(0, table.size, 2 * stride):
            for j in range(block, block + stride):
                sum_ += dual[j + stride] * table[j] - dual[j] * table[j + stride]
        gradient[bit] = sum_
        bit += 1
        stride *= 2
    return bit
