"""KALE, the relaxation of the KL divergence by a kernel, between a distribution and the prior.

With a kernel k whose Hilbert space is H, and a regularisation α > 0 (the λ of the paper; here λ is
the weight of the regulariser), KALE of q with respect to the uniform distribution u is

    KALE(q‖u) = (1 + α) max_{h ∈ H} { 1 + Σ q h − Σ u exp(h) − (α/2) ‖h‖²_H }

(Glaser, Arbel, Gretton, "KALE Flow: A Relaxed KL Gradient Flow for Probabilities with Disjoint
Support", NeurIPS 2021, definition 1). For α → 0 it goes to KL(q‖u), and for α → ∞ to MMD²(q, u)/2.
The maximum is also the minimum of a dual problem over measures v > 0,

    KALE(q‖u) = (1 + α) min_v { Σ v ln(v/u) − Σ v + Σ u + (1/2α) (q − v)ᵀ K (q − v) },

whose solutions are linked by h = ln(v/u) = K (q − v)/α. So KALE is the KL divergence of the nearest
measure plus how far q is from it. By the envelope theorem its derivative by q is (1 + α) h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import DivergedError, InvalidValueError
from qhn.core.objectives.kernels import Bandwidth, correlations, kernel_apply

_NEWTON_STEPS = 100
_CONJUGATE_STEPS = 400
# Before the last step the dual function may be above its minimum by half of this, in nats.
_PRECISION = 1e-11
_KEPT, _SHORTEST = 0.99, 1e-12
_ROUNDING = 1e-8


def kale(q: FloatArray, h: Bandwidth, regularisation: float) -> tuple[float, FloatArray]:
    """KALE(q‖u) and its derivatives by q, for Gaussian kernels on bit strings.

    Newton's method on the dual problem, always from v = u, so that the answer depends on nothing
    but the arguments. Each step solves a linear system by conjugate gradients, in which the
    kernel is applied in a time of O(N 2^N).

    Args:
        q: a distribution on 2^N strings, shape ``(2^N,)``.
        h: the bandwidth of the kernel, or those of a sum of kernels.
        regularisation: α > 0.

    Returns:
        The value, in nats at small α, and the derivatives ∂KALE/∂q, shape ``(2^N,)``, a new array.

    Raises:
        InvalidValueError: if α or h is not positive and finite, or q has another shape.
        DivergedError: if the dual problem could not be solved in a hundred steps, which may happen
            for a very small α.
    """
    alpha = regularisation
    if not (math.isfinite(alpha) and alpha > 0):
        raise InvalidValueError(
            f"`regularisation > 0` must hold, but got regularisation={regularisation}"
        )
    correlations(h)  # checks h
    q = np.asarray(q, dtype=np.float64)
    if not np.isfinite(q).all():
        # After a training has diverged; the trainer notices it by the value.
        return math.nan, np.full_like(q, math.nan)
    buffer = np.empty_like(q)
    prior = 1.0 / q.size

    def dual(v: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """The dual function at a measure v, its gradient, and ln(v/u)."""
        gap = q - v
        pulled = kernel_apply(gap, h, buffer) / alpha
        excess = v / prior - 1.0
        logs = np.log1p(excess)
        # Σ v ln(v/u) − Σ v + Σ u, term by term: its parts cancel where v is close to u, which it
        # is for a strong regularisation.
        entropy = prior * float(((1.0 + excess) * logs - excess).sum())
        return entropy + float(np.einsum("i,i->", gap, pulled)) / 2, logs - pulled, logs

    v = np.full_like(q, prior)
    value, gradient, logs = dual(v)
    for _ in range(_NEWTON_STEPS):
        root = np.sqrt(v)
        step = root * _solve(root, -root * gradient, lambda x: kernel_apply(x, h, buffer), alpha)
        slope = float(np.einsum("i,i->", gradient, step))
        falling = step < 0
        # A measure stays positive, and keeps a little of what it was everywhere.
        bound = _KEPT * float((v[falling] / -step[falling]).min(initial=math.inf))
        length = min(1.0, bound)
        if -slope <= _PRECISION:
            # The value is off by half of this, and Newton's last step squares the error. A test of
            # whether it falls further would compare rounding errors.
            v = v + length * step
            value, gradient, logs = dual(v)
            break
        while length > _SHORTEST:
            tried = v + length * step
            found = dual(tried)
            if found[0] <= value + 1e-4 * length * slope:
                break
            length /= 2
        else:
            # No shorter step helps any more. Where the slope is as small as rounding errors of the
            # value, this is as exact as doubles are.
            if -slope > _ROUNDING * (1.0 + abs(value)):
                raise _unsolved(regularisation, h)
            break
        v, (value, gradient, logs) = tried, found
    else:
        raise _unsolved(regularisation, h)
    # K(q − v)/α is in H, and equals ln(v/u) at the solution.
    return (1.0 + alpha) * value, (1.0 + alpha) * (logs - gradient)


def _unsolved(regularisation: float, h: Bandwidth) -> DivergedError:
    return DivergedError(
        f"KALE with regularisation={regularisation} and h={h} could not be computed in "
        f"{_NEWTON_STEPS} steps; take a larger regularisation"
    )


def _solve(
    root: FloatArray,
    right: FloatArray,
    mixed: Callable[[FloatArray], FloatArray],
    alpha: float,
) -> FloatArray:
    """Solve (1 + R K R/α) s = right by conjugate gradients, where R is diagonal with ``root``."""
    s = np.zeros_like(right)
    left = right.copy()
    direction = left.copy()
    norm = float(np.einsum("i,i->", left, left))
    goal = 1e-24 * norm
    for _ in range(_CONJUGATE_STEPS):
        if norm <= goal:
            break
        image = direction + root * mixed(root * direction) / alpha
        by = norm / float(np.einsum("i,i->", direction, image))
        s += by * direction
        left -= by * image
        former, norm = norm, float(np.einsum("i,i->", left, left))
        direction = left + (norm / former) * direction
    return s
