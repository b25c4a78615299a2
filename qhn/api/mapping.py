"""A sweep as a Python mapping, written as the text of a sweep file.

The store keeps each sweep as the text of its file, from which `qhn sweep resume` goes on. So a
mapping becomes such a text, and the parser of sweep files says what is wrong with it: the rules
are the same, and there is one place for them.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from qhn.sweeps.spec import InvalidSpecError, Mistake, parse_spec
from qhn.sweeps.spec.document import MAX_DEPTH
from qhn.sweeps.spec.mistakes import Place, place_text, shorten, value_text

SOURCE = "the sweep"

# JSON is YAML, but for these characters: JSON may hold them as they are, while YAML takes some for
# the end of a line and refuses the others. Written as escapes they mean the same in both.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def as_file(mapping: Mapping[str, Any]) -> bytes:
    """The text of the sweep file that says the same as a mapping, in UTF-8.

    Args:
        mapping: in the shape of a sweep file. NumPy's numbers and arrays, tuples, ranges and paths
            stand for plain numbers, lists and text.

    Raises:
        InvalidSpecError: a `SpecError` with every mistake, those of the parser among them.
    """
    mistakes: list[Mistake] = []
    plain = _plain(mapping, (), mistakes)
    # Characters beyond U+FFFF as they are: YAML would take JSON's two escapes for two characters.
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    text = _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
    # Half of a surrogate pair cannot be encoded; escaped, the parser can say where it is.
    content = text.encode("utf-8", "backslashreplace")
    try:
        parse_spec(content, SOURCE)
    except InvalidSpecError as error:
        known = {mistake.path for mistake in mistakes}
        # Lines of a text that the caller has never seen would only confuse.
        mistakes += [
            Mistake(m.path, None, m.message) for m in error.mistakes if m.path not in known
        ]
    if mistakes:
        raise InvalidSpecError(SOURCE, mistakes) from None
    return content


def _plain(value: Any, place: Place, mistakes: list[Mistake]) -> Any:
    """The value in the words of JSON; where there are none, None and a mistake."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if len(place) > MAX_DEPTH:
        # A list that holds itself has no end.
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
