"""Formats numbers for people."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def duration(seconds: float) -> str:
    """Seconds as on a clock: 75 becomes ``1:15``, and 4000 becomes ``1:06:40``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def counted(number: int, noun: str) -> str:
    """A number with a noun, such as ``1 trial`` or ``2 trials``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def number_text(value: float, scale: float) -> str:
    """A number with three decimals, or with a power of ten if it is very small or very large.

    Args:
        value: the number.
        scale: the number whose size decides. For a deviation this is the mean, so that both are
            written in the same way.
    """
    # MMD² may be 1e-5, and an objective that explodes 1e8.
    readable = scale == 0 or not math.isfinite(scale) or 0.01 <= abs(scale) < 10_000
    return f"{value:.3f}" if readable else f"{value:.2e}"


def spread(mean: float, deviation: float) -> str:
    """Mean and standard deviation, such as ``0.912 ± 0.034``; the mean alone for a single seed."""
    text = number_text(mean, mean)
    return text if math.isnan(deviation) else f"{text} ± {number_text(deviation, mean)}"


def plus_minus(values: Sequence[float]) -> str:
    """Mean and standard deviation of some values (see `spread`); empty if there are no values."""
    if not values:
        return ""
    return spread(statistics.fmean(values), statistics.stdev(values) if values[1:] else math.nan)
