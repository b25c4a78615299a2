"""Intervals by the stratified bootstrap: the seeds of each task are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.seeds import Purpose, stream

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """An aggregate of several tasks, with its 95% interval by the stratified bootstrap.

    Attributes:
        value: the aggregate.
        low: the 2.5% quantile of the aggregate over the resamples.
        high: the 97.5% quantile.
    """

    value: float
    low: float
    high: float


def as_scores(values: FloatArray) -> FloatArray:
    """Scores as an array of floats, shape (tasks, seeds).

    Raises:
        InvalidValueError: if there is no such array, or if a score is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise InvalidValueError(
            f"scores must have the shape (tasks, seeds), but got {array.shape}; give each task as "
            "many seeds"
        )
    if bad := int((~np.isfinite(array)).sum()):
        raise InvalidValueError(
            f"scores must be finite, but {bad} of {array.size} are not; leave out the metric or "
            "the group"
        )
    return array


def bootstrap(
    samples: Sequence[FloatArray],
    statistic: Callable[..., FloatArray],
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[FloatArray, FloatArray]:
    """The ends of the 95% percentile interval of a statistic (Agarwal et al. 2021).

    Each task keeps its number of seeds. The seeds are drawn with replacement for each task and each
    sample on its own. So the interval says how the aggregate of these same tasks varies with the
    seeds, and not how it varies from tasks to other tasks.

    Args:
        samples: arrays of shape (tasks, seeds).
        statistic: a function of as many such arrays, which returns a number or an array.
        seed: decides the resamples.
        resamples: how many there are.

    Returns:
        The lower and the upper ends, in the shape of the statistic.
    """
    generator = stream(seed, Purpose.BOOTSTRAP)
    found = []
    for _ in range(resamples):
        drawn = [
            np.take_along_axis(s, generator.integers(s.shape[1], size=s.shape), axis=1)
            for s in samples
        ]
        found.append(statistic(*drawn))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    return low, high
