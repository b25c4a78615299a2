"""Versions of the store's files, and how their text is read.

Format 1 is that of version f0fdd86, whose files do not say it; format 2 names itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import NoReturn

from qhn.core.errors import InvalidValueError, NewerFormatError

FORMAT = 2


def check_format(found: object, source: str) -> int:
    """The format that a file names, if this version reads it.

    Args:
        found: what the file has under ``format``.
        source: the file, for the message.

    Raises:
        InvalidValueError: if it is no whole number from 1 on.
        NewerFormatError: if a newer version wrote the file.
    """
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise InvalidValueError(f"its format must be a whole number from 1 on, but it is {found!r}")
    if found > FORMAT:
        raise NewerFormatError(
            f"{source} was written by a newer qhn (format {found}, this one reads up to {FORMAT}); "
            "upgrade qhn"
        )
    return found


def parse_object(content: bytes) -> dict[str, object]:
    """The JSON object in a file; the bare NaN and Infinity that Python would read are refused.

    Raises:
        InvalidValueError: if it holds none.
    """
    try:
        found = json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(f"it is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InvalidValueError("it is not a JSON object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def fingerprint(content: bytes) -> str:
    """SHA-256 of a content, by which a damaged file is known again."""
    return hashlib.sha256(content).hexdigest()
