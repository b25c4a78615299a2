"""Times in sweep files: seconds as a number, or a text such as ``90s``, ``10m`` and ``1.5h``."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from qhn.sweeps.config.part import Positive, broken_rule
from qhn.sweeps.spec.mistakes import value_text
from qhn.sweeps.spec.values import Shorthand

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
# At least one digit is not 0, because a time must be greater than 0.
_PATTERN = r"^(?=.*[1-9])([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])$"
_TEXT = re.compile(_PATTERN)


def _as_seconds(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise broken_rule(
            "must be a number of seconds greater than 0, or a text such as 90s, 10m or 1.5h, "
            f"but got {value_text(value)}"
        )
    return float(found[1]) * _UNITS[found[2]]


#: A time in seconds.
Seconds: TypeAlias = Annotated[
    Positive,
    Field(description="a time, such as 600 or 10m"),
    BeforeValidator(_as_seconds),
    Shorthand(lambda schema, resolve: [{"type": "string", "pattern": _PATTERN}]),
]
