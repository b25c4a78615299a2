"""The mean of numbers or arrays that come one after the other, and its standard error."""

from __future__ import annotations

from typing import Any

import numpy as np


class Moments:
    """Adds up values with counts by West's update (Communications of the ACM 22, 1979).

    It does not take the difference of two large sums, so that equal values have exactly the mean
    that they have themselves, and the error 0.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0  # Σ (value − mean)²

    def add(self, value: Any, count: int) -> None:
        """Add a number, or an array of always the same shape, ``count`` times."""
        self._count += int(count)
        away = value - self._mean
        self._mean = self._mean + count / self._count * away
        self._squares = self._squares + count * away * (value - self._mean)

    def mean_and_error(self) -> tuple[Any, Any]:
        """The mean, and √(variance / count) with the variance of a sample (n − 1).

        The error is NaN if fewer than two values have been added.
        """
        if self._count < 2:
            return self._mean, np.nan * self._mean
        return self._mean, np.sqrt(self._squares / (self._count * (self._count - 1)))
