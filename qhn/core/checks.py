"""Rules that many values share."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from qhn.core.errors import InvalidValueError


def check_count(name: str, value: SupportsIndex, least: int = 1) -> int:
    """A whole number, as Python's own integer; True and False are none.

    Raises:
        InvalidValueError: if it is not whole, or below ``least``.
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
