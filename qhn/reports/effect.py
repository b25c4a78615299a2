"""The size of an effect in units of its own spread, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from qhn.reports.signed_rank import is_tie
from qhn.sweeps.results.statistics import mean_interval


@dataclass(frozen=True)
class EffectSize:
    """Cohen's d of paired differences: their mean divided by their deviation.

    Attributes:
        d: the effect size; NaN for fewer than two differences, infinite if all of them are the
            same and not 0.
        low: the lower end of its 95% interval; NaN where d is 0 exactly or not finite.
        high: the upper end of that interval.
    """

    d: float
    low: float
    high: float


def effect_size(differences: Sequence[float], tie: float) -> EffectSize:
    """The effect size of paired differences. Ties count as 0.

    The interval has all values δ for which the t statistic that was found lies between the 2.5% and
    the 97.5% quantile of the noncentral t distribution with noncentrality δ · sqrt(n) (Steiger and
    Fouladi 1997). It is exact for normal differences.

    Args:
        differences: one difference for each independent pair.
        tie: differences of a smaller size count as 0.
    """
    array = np.asarray(differences, dtype=np.float64)
    moments = mean_interval(list(np.where(is_tie(array, tie), 0.0, array))) if len(array) else None
    if moments is None or not math.isfinite(moments.deviation):
        return EffectSize(math.nan, math.nan, math.nan)
    # Differences that are the same but for rounding have a deviation of about 1e-17, not of 0.
    if moments.deviation <= 1e-12 * abs(moments.mean):
        d = math.copysign(math.inf, moments.mean) if moments.mean else 0.0
        return EffectSize(d, math.nan, math.nan)
    d = moments.mean / moments.deviation
    low, high = _interval(d, len(array))
    return EffectSize(d, low, high)


def _interval(d: float, count: int) -> tuple[float, float]:
    scale = math.sqrt(count)
    # SciPy searches for positive noncentralities only where the t statistic is positive, so that
    # the larger side is mirrored where d is below 0.
    if d < 0:
        low, high = _interval(-d, count)
        return -high, -low
    return _end(0.975, d * scale, count) / scale, _end(0.025, d * scale, count) / scale


def _end(probability: float, t: float, count: int) -> float:
    return float(special.nctdtrinc(count - 1, probability, t))
