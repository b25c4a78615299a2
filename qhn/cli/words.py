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


def spread(mean: float, deviation: float) -> str:
    """Mean and standard deviation over seeds, as in ``0.912 ± 0.034``, or one seed's value."""
    return f"{mean:.3f}" if math.isnan(deviation) else f"{mean:.3f} ± {deviation:.3f}"


def plus_minus(values: Sequence[float]) -> str:
    """Mean and standard deviation of some values (see `spread`); no text where there are none."""
    if not values:
        return ""
    return spread(statistics.fmean(values), statistics.stdev(values) if values[1:] else math.nan)
