"""What is wrong with a sweep file: every mistake with its line, its path and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qhn.core.errors import SpecError

#: Where something is in a file: keys, and places in lists counted from 0.
Place = tuple[str | int, ...]
#: A place, and what to say about it.
Finding = tuple[Place, str]

MAX_SHOWN = 30
MAX_VALUE_LENGTH = 50


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        path: where it is, as in ``objectives[1].lambda[0]``; empty for the file as a whole.
        line: counted from 1, None if no line is to blame.
        message: the rule, the value it got and the way out.
    """

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line is not None else []
        return ": ".join([*where, *([self.path] if self.path else []), self.message])


class InvalidSpecError(SpecError):
    """A sweep file has mistakes: ``mistakes`` holds all of them, the message the first thirty."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        super().__init__(_render(source, self.mistakes, MAX_SHOWN))

    @property
    def whole(self) -> str:
        """The message with every mistake, however many there are."""
        return _render(self.source, self.mistakes, len(self.mistakes))

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception pickles its message alone, from which it could not be built again.
        return type(self), (self.source, self.mistakes)


def _render(source: str, mistakes: tuple[Mistake, ...], most: int) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"{source} has {count}:", *(f"  {mistake}" for mistake in mistakes[:most])]
    if len(mistakes) > most:
        lines.append(f"  and {len(mistakes) - most} more")
    return "\n".join(lines)


def place_text(path: Place) -> str:
    """A path as people write it: ``("objectives", 1, "lambda")`` is ``objectives[1].lambda``."""
    text = ""
    for element in path:
        if isinstance(element, int):
            text += f"[{element}]"
        else:
            key = element if element.isprintable() else ascii(element)[1:-1]
            text += ("." if text else "") + shorten(key)
    return text


def value_text(value: Any) -> str:
    """A value in a message: short, on one line, safe to print."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return f"a mapping with {_count(value, 'key')}"
    if isinstance(value, list | tuple):
        return f"a list of {_count(value, 'item')}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return shorten(ascii(value) if isinstance(value, str) else str(value))


def shorten(text: str) -> str:
    """The text, cut where it would run over the line."""
    if len(text) <= MAX_VALUE_LENGTH:
        return text
    return f"{text[: MAX_VALUE_LENGTH - 3]}..."


def _count(values: Any, noun: str) -> str:
    return f"{len(values)} {noun}" + ("" if len(values) == 1 else "s")
