"""Reads the YAML of a sweep file into plain data, with the line of each value.

Only the part of YAML that sweep files need is accepted. Tags, anchors and aliases are refused,
because they can make objects, or let a small file grow to gigabytes. Duplicate keys are refused
too, because YAML would silently keep the last one. Scalars follow YAML 1.2: ``1e-3`` is a number,
and ``yes`` and ``off`` are text.

Only the events of PyYAML's parser are used; Ray and MLflow need PyYAML in any case. The safe loader
of ruamel.yaml would not be enough: it stops at the first duplicate key, follows aliases, raises a
RecursionError at 5,000 brackets and a ValueError at 5,000 digits, and reads ``0x10`` and ``1_000``
as numbers. With its events this module would be the same, but take half as long again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from qhn.sweeps.spec.mistakes import InvalidSpecError, Mistake, Place, place_text

MAX_BYTES = 2**20
MAX_DEPTH = 20
MAX_DIGITS = 400

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = {".nan", ".NaN", ".NAN"}


@dataclass
class Document:
    """The content of a file.

    Attributes:
        source: the name of the file in messages.
        content: dictionaries, lists and scalars.
        lines: the line of each place, counted from 1. The line of a value under a key is that of
            the key.
        mistakes: mistakes after which reading could go on, such as keys that are given twice.
    """

    source: str
    content: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Place) -> int | None:
        """The line of a place, or of the nearest place above it that is in the file; else None."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


class _Refused(Exception):
    """Reading cannot go on. This exception does not leave this module."""

    def __init__(self, message: str, line: int | None = None, path: Place = ()) -> None:
        self.mistake = Mistake(place_text(path), line, message)


def read_document(text: str | bytes, source: str) -> Document:
    """Read the text of a sweep file.

    Args:
        text: the content of the file; bytes are read as UTF-8.
        source: the name of the file in messages.

    Raises:
        InvalidSpecError: if it is too large, is not UTF-8 or not valid YAML, or uses something that
            is refused.
    """
    document = Document(source)
    try:
        reader = _Reader(document, _events(_decode(text)))
        document.content = reader.read()
    except _Refused as refused:
        raise InvalidSpecError(source, [*document.mistakes, refused.mistake]) from None
    return document


def _decode(text: str | bytes) -> str:
    encoded = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_BYTES:
        raise _Refused("a sweep file has at most 1 MiB, but this one has more")
    try:
        return encoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = encoded[: error.start].count(b"\n") + 1
        raise _Refused("the file must be UTF-8 text", line) from None


def _events(text: str) -> Iterator[yaml.Event]:
    """The events of PyYAML's parser, with its errors translated into ours."""
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        # One event at a time, so that something is refused before it can take much memory.
        while loader.check_event():
            yield loader.get_event()
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise _Refused(f"character U+{code:04X} is not allowed", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _Refused(f"not valid YAML at column {column}: {problem}", line) from None
    except (ValueError, OverflowError):  # PyYAML converts some numbers without looking at them
        problem = "a character's code or YAML's version is out of range"
        at = f"column {loader.column + 1}"
        raise _Refused(f"not valid YAML at {at}: {problem}", loader.line + 1) from None


class _Reader:
    """Builds plain data from YAML events, to a limited depth."""

    def __init__(self, document: Document, events: Iterator[yaml.Event]) -> None:
        self._document = document
        self._events = events

    def read(self) -> Any:
        content = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused("a sweep file holds one document", _line(event))
            elif isinstance(event, yaml.NodeEvent):
                content = self._node(event, ())
        return content

    def _node(self, event: yaml.NodeEvent, path: Place) -> Any:
        line = _line(event)
        self._document.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(f"alias *{event.anchor}: aliases are not allowed", line, path)
        if event.anchor is not None:
            raise _Refused(f"anchor &{event.anchor}: anchors are not allowed", line, path)
        tag = getattr(event, "tag", None)
        if tag is not None:
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            raise _Refused(f"tag {tag}: tags are not allowed", line, path)
        if len(path) > MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        assert isinstance(event, yaml.ScalarEvent)
        return _scalar(event, path) if event.implicit[0] else event.value

    def _sequence(self, path: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(_node_event(event), (*path, len(items))))
        return items

    def _mapping(self, path: Place) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused("a key must be a word", line, path)
            # A key gets the same checks as a value, because it can have an anchor and a tag too.
            self._node(event, (*path, event.value))
            key = event.value
            where = (*path, key)
            if not _is_text(key):
                # This key cannot be printed or looked up. Its value is read all the same, so that
                # the mistakes after it are reported as well.
                message = "half of a surrogate pair is no character; mend the key"
                self._document.mistakes.append(Mistake(place_text(where), line, message))
                self._node(_node_event(next(self._events)), where)
                continue
            if key in items:
                first = self._document.lines[where]
                message = f"given twice (first on line {first}), keep one"
                self._document.mistakes.append(Mistake(place_text(where), line, message))
            items[key] = self._node(_node_event(next(self._events)), where)
        return items


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _node_event(event: yaml.Event) -> yaml.NodeEvent:
    assert isinstance(event, yaml.NodeEvent)
    return event


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent, path: Place) -> str | bool | int | float | None:
    """A plain scalar by the core schema of YAML 1.2, decimal numbers only."""
    word: str = event.value
    if word in _NULL:
        return None
    if word in _BOOLEAN:
        return _BOOLEAN[word]
    if _FLOAT.fullmatch(word):
        # For integers with some thousand digits Python would raise an error of its own.
        if len(word) > MAX_DIGITS:
            raise _Refused(f"a number of {len(word)} characters", _line(event), path)
        return int(word) if _INTEGER.fullmatch(word) else float(word)
    if match := _INFINITE.fullmatch(word):
        return float(f"{match[1]}inf")
    return float("nan") if word in _NAN else word
