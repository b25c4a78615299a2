"""Performance profiles: which share of runs is better than a threshold (Agarwal et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.reports.bootstrap import RESAMPLES, as_scores, bootstrap


@dataclass(frozen=True)
class Profile:
    """The performance profile of one group, with a pointwise 95% band.

    Attributes:
        thresholds: the thresholds, shape (n,).
        share: the share of runs with a score above each threshold, shape (n,).
        low: the lower end of the band, shape (n,).
        high: its upper end, shape (n,).
    """

    thresholds: FloatArray
    share: FloatArray
    low: FloatArray
    high: FloatArray


def performance_profile(
    scores: FloatArray, thresholds: Sequence[float], seed: int, resamples: int = RESAMPLES
) -> Profile:
    """The share of runs above each threshold, over all tasks together.

    If the profile of one group is nowhere below that of another, it is better by every mean and
    every quantile.

    Args:
        scores: the scores of the group, shape (tasks, seeds).
        thresholds: the thresholds, in the unit of the scores.
        seed: decides the resamples of the band.
        resamples: how many there are.

    Raises:
        InvalidValueError: if scores are not finite or have another shape.
    """
    checked, at = as_scores(scores), np.asarray(thresholds, dtype=np.float64)

    def share(values: FloatArray) -> FloatArray:
        ordered = np.sort(values, axis=None)
        above = len(ordered) - np.searchsorted(ordered, at, side="right")
        return np.asarray(above / len(ordered))

    low, high = bootstrap([checked], share, seed, resamples)
    return Profile(at, share(checked), low, high)
