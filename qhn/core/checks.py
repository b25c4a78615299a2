"""Checks that many kinds of values have in common."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from qhn.core.errors import InvalidValueError


def check_count(name: str, value: SupportsIndex, least: int = 1) -> int:
    """Check that a value is a whole number, and return it as a Python integer.

    True and False are refused, although Python counts them as integers.

    Args:
        name: what messages call the value.
        value: a Python or NumPy integer.
        least: the smallest number that is allowed.

    Raises:
        InvalidValueError: if it is not a whole number, or is below ``least``.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidValueError(
            f"{name} must be a whole number, but got {name}={value!r}"
        ) from None
    if number < least:
        raise InvalidValueError(f"`{name} >= {least}` must hold, but got {name}={number}")
    return number
