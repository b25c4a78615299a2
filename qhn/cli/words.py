"""Numbers in the form in which people read them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def duration(seconds: float) -> str:
    """A number of seconds as a clock shows it: 75 is ``1:15`` and 4000 is ``1:06:40``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def counted(number: int, noun: str) -> str:
    """A number and what it counts, as in ``1 trial`` and ``2 trials``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def number_text(value: float, scale: float) -> str:
    """A number to three places, or in powers of ten where three places would not show it.

    Args:
        value: the number.
        scale: the size that decides: a mean and its deviation are to be written alike.
    """
    # MMD² may be 1e-5, and an objective that explodes 1e8.
    readable = scale == 0 or not math.isfinite(scale) or 0.01 <= abs(scale) < 10_000
    return f"{value:.3f}" if readable else f"{value:.2e}"


def spread(mean: float, deviation: float) -> str:
    """Mean and standard deviation over seeds, as in ``0.912 ± 0.034``, or one seed's value."""
    text = number_text(mean, mean)
    return text if math.isnan(deviation) else f"{text} ± {number_text(deviation, mean)}"


def plus_minus(values: Sequence[float]) -> str:
    """Mean and standard deviation of some values (see `spread`); no text where there are none."""
    if not values:
        return ""
    return spread(statistics.fmean(values), statistics.stdev(values) if values[1:] else math.nan)
