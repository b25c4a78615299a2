"""The passes of `divergences` in plain NumPy: to be read, to test against, and for few outcomes."""

from __future__ import annotations

import numpy as np

from qhn.core.arrays import FloatArray, IntArray

_SMALLEST = 2.0**-1022


def expectation(q: FloatArray, table: FloatArray) -> float:
    """Σ q·table."""
    return float(q @ table)


def relative_entropy(
    q: FloatArray, nll: FloatArray, weight: float, out: FloatArray
) -> tuple[float, float]:
    """(Σ q·nll, KL(q‖u)), and ``out = nll + weight · (ln(q/u) + 1)``."""
    ratio = np.log(np.maximum(q * q.size, _SMALLEST))
    out[...] = nll + weight * (ratio + 1.0)
    return float(q @ nll), float(q @ ratio)


def discrepancy(
    q: FloatArray, nll: FloatArray, prior: IntArray, weight: float, c: float, out: FloatArray
) -> tuple[float, float]:
    """(Σ q·nll, MMD²(q, r)), and ``out = nll + weight · 2K(q − r)``.

    r is uniform if ``prior`` is empty, else the distribution of the strings in it; the term of
    two of these strings is then the mean over pairs of different ones, so that MMD² is unbiased.
    """
    m = prior.size
    counts = np.bincount(prior, minlength=q.size).astype(np.float64)
    other = counts / m if m else np.full(q.size, 1.0 / q.size)
    mixed = kernel_product(q - other, c)
    mmd2 = float((q - other) @ mixed)
    if m:
        pairs = float(counts @ kernel_product(counts, c))
        mmd2 += (pairs - m) / (m * (m - 1)) - pairs / m**2
    out[...] = nll + weight * 2.0 * mixed
    return float(q @ nll), mmd2


def kernel_product(x: FloatArray, c: float) -> FloatArray:
    """Kx, bit by bit: entries whose bit is flipped come with the factor c."""
    index = np.arange(x.size)
    stride = 1
    while stride < x.size:
        x = x + c * x[index ^ stride]
        stride *= 2
    return x
