"""The options that several kinds of devices have, with their checks.

A device whose dataclass has a field ``shots``, ``estimator`` or ``noise`` of the types below takes
them in sweep files as all others do; nothing has to be registered for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from qhn.core.errors import InvalidValueError
from qhn.core.estimators.shots import (
    MAX_SHOTS,
    Shots,
    ShotSchedule,
    as_shots,
    check_shots,
    largest_shots,
    shots_at,
    smallest_shots,
    total_shots,
)
from qhn.core.noise.depolarising import Depolarising

__all__ = [
    "MAX_SHOTS",
    "Depolarising",
    "SampleEstimator",
    "ShotSchedule",
    "Shots",
    "as_noise",
    "as_shots",
    "check_shots",
    "largest_shots",
    "set_option",
    "shots_at",
    "smallest_shots",
    "total_shots",
]

#: Ways to estimate a gradient from samples, besides the parameter-shift rule.
SampleEstimator = Literal["spsa"]


def as_noise(value: Any) -> Depolarising | None:
    """Check depolarising noise, and give it its only form.

    Args:
        value: None, one probability for all gates, a mapping with ``p1`` and ``p2``, or the noise
            itself.

    Returns:
        The noise; None if no gate ever has an error, because that is the device without noise.

    Raises:
        InvalidValueError: if it is none of these, or a probability is not between 0 and 1.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        if set(value) != {"p1", "p2"}:
            raise InvalidValueError(
                f"noise must have p1 and p2, but got {', '.join(map(str, value)) or 'neither'}; "
                "a single number stands for both"
            )
        value = Depolarising(**value)
    elif not isinstance(value, Depolarising):
        value = Depolarising.from_number(value)
    # Whole numbers become floats, so that noise of 1 and of 1.0 is the same.
    made = Depolarising(p1=float(value.p1), p2=float(value.p2))
    return made if made.p1 or made.p2 else None


def set_option(device: object, name: str, value: object) -> None:
    """Set a field of a frozen device while it is made, to give an option its only form."""
    object.__setattr__(device, name, value)
