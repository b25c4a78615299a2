"""The first layer of R_Y, which turns |0…0⟩ into a product state with real amplitudes.

ψ(x) = A(x >> 7) · B(x & 127), where `tables.fill_product` fills A and B. The R_Z gates of the same
layer are applied in the entangling pass that follows.
"""

from __future__ import annotations

from typing import Any

from qhn.core.engine.tables import LOW_SIZE
from qhn.core.simd.compiled import kernel
from qhn.core.simd.vectors import load, multiply, multiply_add, spread, store, total


@kernel
def fill_state(re: Any, im: Any, high: Any, low: Any) -> None:
    """Fill the state with the product of the tables A (``high``) and B (``low``)."""
    # R_Y is a real matrix, so its action on |0…0⟩ gives real amplitudes.
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
    """R_Y gradients of the first layer, from the real part of the adjoint state λ alone.

    λ is summed against each of the two tables in one pass. From there on only sums over small
    tables remain. ``by_high`` and ``by_low`` are scratch of the sizes of ``high`` and ``low``.
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
    # A derivative by the angle of one bit changes one of the two tables only: the other one has
    # been summed over already.
    bit = _table_gradient(low, by_low, gradient, 0)
    _table_gradient(high, by_high, gradient, bit)


@kernel
def _table_gradient(table: Any, dual: Any, gradient: Any, bit: int) -> Any:
    """Σ (dual₁ table₀ − dual₀ table₁) over pairs of entries, for each bit of a table's index.

    Writes to ``gradient`` from ``bit`` on, and returns the bit after the last one.
    """
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
