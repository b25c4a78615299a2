"""The passes of `divergences` in plain NumPy, for fewer than 64 outcomes.

They also show what the compiled passes compute, and are what these are tested against.
"""

from __future__ import annotations

import numpy as np

from qhn.core.arrays import FloatArray, IntArray

_SMALLEST = 2.0**-1022


def expectation(q: FloatArray, table: FloatArray) -> float:
    """The expectation value Σ q·table."""
    return float(q @ table)


def relative_entropy(
    q: FloatArray, nll: FloatArray, weight: float, out: FloatArray
) -> tuple[float, float]:
    """Return (Σ q·nll, KL(q‖u)), and fill ``out = nll + weight · (ln(q/u) + 1)``."""
    ratio = np.log(np.maximum(q * q.size, _SMALLEST))
    out[...] = nll + weight * (ratio + 1.0)
    return float(q @ nll), float(q @ ratio)


def discrepancy(
    q: FloatArray, nll: FloatArray, prior: IntArray, weight: float, c: float, out: FloatArray
) -> tuple[float, float]:
    """Return (Σ q·nll, MMD²(q, r)), and fill ``out = nll + weight · 2K(q − r)``.

    r is the uniform distribution if ``prior`` is empty, and else the empirical distribution of the
    strings in ``prior``. In the second case the term that compares these strings with each other is
    the mean over pairs of different strings, so that MMD² is unbiased.
    """
    m = prior.size
    counts = np.bincount(prior, minlength=q.size).astype(np.float64)
    other = counts / m if m else np.full(q.size, 1.0 / q.size)
    mixed = kernel_product(q - other, c)
    mmd2 = float((q - other) @ mixed)
    if m:
        # `mmd2` contains the mean over all m² pairs. It is replaced by the mean over the m(m − 1)
        # pairs of different strings; the kernel of a string with itself is 1.
        pairs = float(counts @ kernel_product(counts, c))
        mmd2 += (pairs - m) / (m * (m - 1)) - pairs / m**2
    out[...] = nll + weight * 2.0 * mixed
    return float(q @ nll), mmd2


def kernel_product(x: FloatArray, c: float) -> FloatArray:
    """Kx, computed bit by bit: to each entry, c times the entry with that bit flipped is added."""
    index = np.arange(x.size)
    stride = 1
    while stride < x.size:
        x = x + c * x[index ^ stride]
        stride *= 2
    return x
