"""The options that several kinds of devices have, with their checks."""

from __future__ import annotations

from typing import Literal

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError

#: The largest number of samples of one circuit. More than that no provider takes in one job.
MAX_SHOTS = 10**7
#: Ways to estimate a gradient from samples, besides the parameter-shift rule.
SampleEstimator = Literal["spsa"]


def check_shots(shots: int) -> int:
    """Check a number of samples of each circuit, and return it.

    Raises:
        InvalidValueError: if it is not a whole number from 1 to `MAX_SHOTS`.
    """
    count = check_count("shots", shots)
    if count > MAX_SHOTS:
        raise InvalidValueError(f"`shots <= {MAX_SHOTS}` must hold, but got shots={shots}")
    return count
