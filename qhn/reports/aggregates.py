"""Aggregates over several tasks: interquartile mean and probability of improvement.

Both are those of Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical
Precipice".
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.reports.bootstrap import RESAMPLES, Estimate, as_scores, bootstrap
from qhn.reports.comparison import DEFAULT_TIE
from qhn.reports.signed_rank import is_tie


def interquartile_mean(scores: FloatArray, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The mean of the middle half of all scores, over all tasks together.

    It is less sensitive to a few trials that went wrong than the mean, and less noisy than the
    median.

    Args:
        scores: the scores of one group, shape (tasks, seeds).
        seed: decides the resamples of the interval.
        resamples: how many there are.

    Raises:
        InvalidValueError: if scores are not finite or have another shape.
    """
    checked = as_scores(scores)
    low, high = bootstrap([checked], _middle_mean, seed, resamples)
    return Estimate(float(_middle_mean(checked)), float(low), float(high))


def _middle_mean(scores: FloatArray) -> FloatArray:
    return np.asarray(stats.trim_mean(scores, 0.25, axis=None))


def probability_of_improvement(
    group: FloatArray,
    baseline: FloatArray,
    seed: int,
    *,
    tie: float = DEFAULT_TIE,
    resamples: int = RESAMPLES,
) -> Estimate:
    """How likely a run of the group has a higher score than a run of the baseline.

    The probability is that of two runs with any seeds on the same task, averaged over tasks. A tie
    counts as one half.

    Args:
        group: scores of shape (tasks, seeds).
        baseline: scores on the same tasks.
        seed: decides the resamples of the interval.
        tie: differences of a smaller size count as ties.
        resamples: how many resamples there are.

    Raises:
        InvalidValueError: if scores are not finite or have another shape.
    """
    first, second = as_scores(group), as_scores(baseline)
    if len(first) != len(second):
        raise InvalidValueError(
            f"both groups must have the same tasks, but got {len(first)} and {len(second)}; leave "
            "out the tasks that only one of them has"
        )

    def improvement(x: FloatArray, y: FloatArray) -> FloatArray:
        differences = x[:, :, None] - y[:, None, :]
        ties = is_tie(differences, tie)
        return np.asarray(np.where(ties, 0.5, differences > 0).mean())

    low, high = bootstrap([first, second], improvement, seed, resamples)
    return Estimate(float(improvement(first, second)), float(low), float(high))
