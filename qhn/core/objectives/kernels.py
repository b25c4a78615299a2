"""The Gaussian kernel on bit strings, and the maximum mean discrepancy to the uniform prior.

k(σ, σ') = exp(−‖σ − σ'‖² / (2h²)) is a product over bits: K is the tensor product of N matrices
[[1, c], [c, 1]], c = exp(−1/(2h²)). With u uniform, MMD²(q, u) = (q − u)ᵀ K (q − u)
(arXiv 2506.05888; Gretton et al., JMLR 13, 2012).
"""

from __future__ import annotations

import math

import numpy as np

from qhn.core.arrays import FloatArray, readonly
from qhn.core.errors import InvalidValueError

COMPILED_SIZE = 64  # compiled passes work on blocks of this many outcomes


def correlation(h: float) -> float:
    """c = exp(−1/(2h²)), the kernel of two strings that differ in one bit."""
    if not (math.isfinite(h) and h > 0):
        raise InvalidValueError(f"`h > 0` must hold and h be finite, but got h={h}")
    squared = h * h
    # Where h² is too small for a double, so is exp(−1/(2h²)) by far.
    return math.exp(-0.5 / squared) if squared > 0 else 0.0


def kernel_apply(q: FloatArray, h: float, out: FloatArray) -> FloatArray:
    """``out = K q``, in O(N 2^N).

    Args:
        q: shape ``(2^N,)``.
        h: bandwidth.
        out: shape ``(2^N,)``, contiguous float64; may be ``q``.

    Returns:
        ``out``.

    Raises:
        InvalidValueError: if h is not a positive finite number, or an array is not as above.
    """
    c = correlation(h)
    q = readonly(q)
    if q.ndim != 1 or q.size.bit_count() != 1:
        raise InvalidValueError(f"q must have the shape (2^N,), but got {q.shape}")
    if out.shape != q.shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise InvalidValueError(
            f"out must be contiguous float64 of the shape {q.shape}, "
            f"but got {out.dtype} of the shape {out.shape}"
        )
    if q.size >= COMPILED_SIZE:
        from qhn.core.objectives.divergences import kernel_product

        kernel_product(q, c, out)
    else:
        from qhn.core.objectives.reference import kernel_product as product

        out[...] = product(q, c)
    return out


def mmd2(q: FloatArray, h: float) -> float:
    """MMD²(q, u) against the uniform distribution, in closed form.

    The difference q − u is taken first, so that no digits cancel when q is close to u.
    Allocates one array of 2^N doubles; training uses `Objective`, which keeps its own.
    """
    difference = np.asarray(q, dtype=np.float64) - 1.0 / np.size(q)
    return float(difference @ kernel_apply(difference, h, np.empty_like(difference)))
