"""How smooth a function on a square grid is, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError


@dataclass(frozen=True)
class Smoothness:
    """Measures of one landscape. More of each means less smooth.

    Attributes:
        minima: strict local minima: inner grid points whose value is below those of all eight
            neighbours. It depends on the spacing of the grid.
        total_variation: the mean of |∂f/∂s| and |∂f/∂t|, by first differences.
        curvature: the mean of |∂²f/∂s²| and |∂²f/∂t²|, by second differences.
        variation_by_range: ``total_variation`` divided by the largest minus the smallest value. A
            function that is multiplied by a number has the same one.
        curvature_by_range: the same for ``curvature``.
    """

    minima: int
    total_variation: float
    curvature: float
    variation_by_range: float
    curvature_by_range: float


def smoothness(values: FloatArray, spacing: float) -> Smoothness:
    """Measure a function on a grid.

    Args:
        values: shape ``(n, m)``, both at least 3.
        spacing: the distance of neighbouring points.

    Raises:
        InvalidValueError: if values have another shape or are not finite, or the spacing is not
            positive.
    """
    f = np.asarray(values, dtype=np.float64)
    if f.ndim != 2 or min(f.shape) < 3:
        raise InvalidValueError(
            f"values must have the shape (n, m) with n and m at least 3, but got {f.shape}"
        )
    if not np.isfinite(f).all():
        raise InvalidValueError("values on a grid must be finite, but some are not")
    if not spacing > 0:
        raise InvalidValueError(f"`spacing > 0` must hold, but got spacing={spacing}")
    slopes = [np.abs(np.diff(f, axis=axis)).mean() / spacing for axis in (0, 1)]
    bends = [np.abs(np.diff(f, n=2, axis=axis)).mean() / spacing**2 for axis in (0, 1)]
    variation, curvature = float(np.mean(slopes)), float(np.mean(bends))
    extent = float(f.max() - f.min())
    return Smoothness(
        minima=strict_minima(f),
        total_variation=variation,
        curvature=curvature,
        # A constant function is as smooth as can be.
        variation_by_range=variation / extent if extent else 0.0,
        curvature_by_range=curvature / extent if extent else 0.0,
    )


def strict_minima(values: FloatArray) -> int:
    """The number of inner points whose value is below those of all eight neighbours."""
    inner = values[1:-1, 1:-1]
    rows, columns = values.shape
    lower = np.ones(inner.shape, dtype=bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down or right:
                near = values[1 + down : rows - 1 + down, 1 + right : columns - 1 + right]
                lower &= inner < near
    return int(lower.sum())
