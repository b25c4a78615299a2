"""Turns a Python mapping into the text of a sweep file.

The store keeps each sweep as the text of its file, with which `qhn sweep resume` can continue it.
So a mapping is turned into such a text, and is checked by the parser of sweep files. The same rules
hold for both, and they are in one place.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qhn.sweeps.spec import InvalidSpecError, Mistake, parse_spec
from qhn.sweeps.spec.document import MAX_DEPTH
from qhn.sweeps.spec.mistakes import Place, place_text, shorten, value_text
from qhn.sweeps.spec.pinning import pinned

SOURCE = "the sweep"

# JSON text is also YAML, except for these characters. JSON allows them inside text, but YAML takes
# some of them for the end of a line and refuses the others. As escapes they mean the same in both.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def as_file(mapping: Mapping[str, Any]) -> bytes:
    """The text of the sweep file with the content of a mapping, in UTF-8.

    Args:
        mapping: a mapping in the form of a sweep file. Numbers and arrays of NumPy, tuples, ranges
            and paths may stand for plain numbers, lists and text.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes, including those that the parser finds.
    """
    mistakes: list[Mistake] = []
    plain = _plain(mapping, (), mistakes)
    # JSON writes a character beyond U+FFFF as two escapes, which YAML would take for two
    # characters. So such characters are not escaped.
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    text = _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
    # Half of a surrogate pair cannot be encoded. It is written as an escape, and the parser then
    # reports where it is.
    content = text.encode("utf-8", "backslashreplace")
    try:
        # Paths of data files go out from where the program runs.
        content = pinned(content, SOURCE, Path.cwd())
        parse_spec(content, SOURCE)
    except InvalidSpecError as error:
        known = {mistake.path for mistake in mistakes}
        # The mistakes are reported without lines, because the caller has never seen this text.
        mistakes += [
            Mistake(m.path, None, m.message) for m in error.mistakes if m.path not in known
        ]
    if mistakes:
        raise InvalidSpecError(SOURCE, mistakes) from None
    return content


def _plain(value: Any, place: Place, mistakes: list[Mistake]) -> Any:
    """The value as plain JSON values. If it cannot be expressed, None, and a mistake is added."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if len(place) > MAX_DEPTH:
        # Without a limit, a list that contains itself would never end.
        return _refused(place, f"nested deeper than {MAX_DEPTH} levels", mistakes)
    if isinstance(value, Mapping):
        return _plain_mapping(value, place, mistakes)
    if isinstance(value, list | tuple | range):
        return [_plain(item, (*place, i), mistakes) for i, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return _refused(place, f"must be a finite number, but got {value}", mistakes)
    shown = f"{shorten(' '.join(repr(value).split()))} of type {type(value).__name__}"
    return _refused(
        place, f"must be a number, text, a list or a mapping, but got {shown}", mistakes
    )


def _plain_mapping(
    value: Mapping[Any, Any], place: Place, mistakes: list[Mistake]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(key, str):
            found[str(key)] = _plain(item, (*place, str(key)), mistakes)
        else:
            _refused(place, f"a key must be text, but got {value_text(key)}", mistakes)
    return found


def _refused(place: Place, message: str, mistakes: list[Mistake]) -> None:
    mistakes.append(Mistake(place_text(place), None, message))
