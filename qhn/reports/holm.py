"""Holm's correction for several tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values corrected by Holm's step-down method (Holm 1979), in the same order.

    The probability that any of the corrected values is at most α by chance alone is at most α,
    however the tests depend on each other. NaN stands for a test that could not be made: it stays
    NaN, and the others are corrected as if it was not there.

    Args:
        p_values: the uncorrected p values.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    # Statsmodels takes more than a second to import, which only a report may cost.
    from statsmodels.stats.multitest import multipletests

    made = [place for place, p in enumerate(p_values) if not math.isnan(p)]
    corrected = [math.nan] * len(p_values)
    if made:
        found = multipletests([p_values[place] for place in made], method="holm")[1]
        for place, value in zip(made, found, strict=True):
            corrected[place] = float(value)
    return corrected
