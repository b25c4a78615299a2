"""The format numbers of the store's files, and how their JSON is read.

Format 1 is the format of version f0fdd86, whose files do not state a format. Format 2 states it.
"""

from __future__ import annotations

import hashlib
import json
from typing import NoReturn

from qhn.core.errors import InvalidValueError, NewerFormatError

FORMAT = 2


def check_format(found: object, source: str) -> int:
    """Check that this version can read a format, and return it.

    Args:
        found: the value that the file has under ``format``.
        source: the name of the file, for messages.

    Raises:
        InvalidValueError: if the value is not a whole number from 1 on.
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
    """Read the JSON object in a file.

    Raises:
        InvalidValueError: if the content is not a JSON object, or contains NaN or Infinity.
    """
    # Python's JSON reader accepts NaN and Infinity, which are not JSON.
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
    """The SHA-256 of a content. It shows later whether a damaged file is still the same."""
    return hashlib.sha256(content).hexdigest()
