"""The Gaussian kernel on bit strings, and the maximum mean discrepancy to the uniform prior.

k(σ, σ') = exp(−‖σ − σ'‖² / (2h²)) is a product over bits. So its matrix K is the tensor product of
N matrices [[1, c], [c, 1]] with c = exp(−1/(2h²)). With the uniform distribution u,
MMD²(q, u) = (q − u)ᵀ K (q − u) (Gretton et al., JMLR 13, 2012; for hypernetworks arXiv 2506.05888).
"""

from __future__ import annotations

import math

import numpy as np

from qhn.core.arrays import FloatArray, readonly
from qhn.core.errors import InvalidValueError

COMPILED_SIZE = 64  # compiled passes work on blocks of this many outcomes


def correlation(h: float) -> float:
    """c = exp(−1/(2h²)), the value of the kernel for two strings that differ in one bit.

    Raises:
        InvalidValueError: if h is not a positive finite number.
    """
    if not (math.isfinite(h) and h > 0):
        raise InvalidValueError(f"`h > 0` must hold and h be finite, but got h={h}")
    squared = h * h
    # If h² is so small that it is rounded to 0, exp(−1/(2h²)) is 0 as a double long before.
    return math.exp(-0.5 / squared) if squared > 0 else 0.0


def kernel_apply(q: FloatArray, h: float, out: FloatArray) -> FloatArray:
    """Fill ``out = K q`` in a time of O(N 2^N).

    Args:
        q: a vector of shape ``(2^N,)``.
        h: the bandwidth.
        out: a contiguous array of float64, shape ``(2^N,)``. It may be ``q`` itself.

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
    """MMD²(q, u) to the uniform distribution u, in closed form.

    It allocates one array of 2^N doubles. Training uses `Objective`, which keeps its own.

    Args:
        q: a distribution, shape ``(2^N,)``.
        h: the bandwidth.

    Raises:
        InvalidValueError: if h is not a positive finite number, or q has another shape.
    """
    # The difference q − u is taken first. Of the three terms qᵀKq − 2 qᵀKu + uᵀKu, nearly all
    # digits would cancel when q is close to u.
    difference = np.asarray(q, dtype=np.float64) - 1.0 / np.size(q)
    return float(difference @ kernel_apply(difference, h, np.empty_like(difference)))
