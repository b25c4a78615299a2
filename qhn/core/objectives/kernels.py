"""The Gaussian kernel on bit strings, and the maximum mean discrepancy to the uniform prior.

k(σ, σ') = exp(−‖σ − σ'‖² / (2h²)) is a product over bits. So its matrix K is the tensor product of
N matrices [[1, c], [c, 1]] with c = exp(−1/(2h²)). With the uniform distribution u,
MMD²(q, u) = (q − u)ᵀ K (q − u) (Gretton et al., JMLR 13, 2012; for hypernetworks arXiv 2506.05888).

Several bandwidths stand for the sum of their kernels, which tells distributions apart at several
scales at once. MMD² is linear in the kernel, so that it is the sum of theirs.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from qhn.core.arrays import FloatArray, readonly
from qhn.core.errors import InvalidValueError

COMPILED_SIZE = 64  # compiled passes work on blocks of this many outcomes
#: The bandwidth of a kernel, or those of the kernels of a sum.
Bandwidth: TypeAlias = float | tuple[float, ...]


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


def as_bandwidth(h: Bandwidth | None, n_qubits: int) -> Bandwidth:
    """The bandwidth of an objective: as it is given, or N/4.

    Raises:
        InvalidValueError: if one is not a positive finite number, or if there is none.
    """
    if h is None:
        return n_qubits / 4
    if not isinstance(h, tuple):
        return float(h)
    correlations(h)
    # A sum of one kernel is that kernel.
    return tuple(float(one) for one in h) if len(h) > 1 else float(h[0])


def correlations(h: Bandwidth) -> tuple[float, ...]:
    """c of each kernel; see `correlation`.

    Raises:
        InvalidValueError: if a bandwidth is not a positive finite number, or if there is none.
    """
    if not isinstance(h, tuple):
        return (correlation(h),)
    if not h:
        raise InvalidValueError("a sum of kernels needs at least one bandwidth, but got none")
    return tuple(map(correlation, h))


def kernel_apply(q: FloatArray, h: Bandwidth, out: FloatArray) -> FloatArray:
    """Fill ``out = K q`` in a time of O(N 2^N).

    Args:
        q: a vector of shape ``(2^N,)``.
        h: the bandwidth, or those of a sum of kernels.
        out: a contiguous array of float64, shape ``(2^N,)``. It may be ``q`` itself.

    Returns:
        ``out``.

    Raises:
        InvalidValueError: if h is not a positive finite number, or an array is not as above.
    """
    q = readonly(q)
    if isinstance(h, tuple):
        correlations(h)
        total, part = np.zeros(q.shape), np.empty(q.shape)
        for one in h:
            total += kernel_apply(q, one, part)
        out[...] = total
        return out
    c = correlation(h)
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


def mmd2(q: FloatArray, h: Bandwidth) -> float:
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
