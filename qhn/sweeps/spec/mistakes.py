"""The mistakes of a sweep file, each with its line, its place and a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qhn.core.errors import SpecError

#: A place in a file: keys and indices of lists (counted from 0), from the outermost one inwards.
Place = tuple[str | int, ...]
#: The place of a mistake, and a message.
Finding = tuple[Place, str]

MAX_SHOWN = 30
MAX_VALUE_LENGTH = 50


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        path: its place, such as ``objectives[1].lambda[0]``; empty for the file as a whole.
        line: its line, counted from 1; None if it has none.
        message: the rule, the value that was found, and the way out.
    """

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line is not None else []
        return ": ".join([*where, *([self.path] if self.path else []), self.message])


class InvalidSpecError(SpecError):
    """A sweep file has mistakes. The message lists the first thirty of them.

    Attributes:
        source: the name of the file in messages.
        mistakes: all mistakes.
    """

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        super().__init__(_render(source, self.mistakes, MAX_SHOWN))

    @property
    def whole(self) -> str:
        """The message with all mistakes."""
        return _render(self.source, self.mistakes, len(self.mistakes))

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is pickled as its message only, from which the list of mistakes
        # could not be restored in another process.
        return type(self), (self.source, self.mistakes)


def _render(source: str, mistakes: tuple[Mistake, ...], most: int) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"{source} has {count}:", *(f"  {mistake}" for mistake in mistakes[:most])]
    if len(mistakes) > most:
        lines.append(f"  and {len(mistakes) - most} more")
    return "\n".join(lines)


def place_text(path: Place) -> str:
    """A place as text: ``("objectives", 1, "lambda")`` becomes ``objectives[1].lambda``."""
    text = ""
    for element in path:
        if isinstance(element, int):
            text += f"[{element}]"
        else:
            key = element if element.isprintable() else ascii(element)[1:-1]
            text += ("." if text else "") + shorten(key)
    return text


def value_text(value: Any) -> str:
    """A short text for a value in a message, on one line and safe to print."""
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
    """The text, cut off after 50 characters."""
    if len(text) <= MAX_VALUE_LENGTH:
        return text
    return f"{text[: MAX_VALUE_LENGTH - 3]}..."


def _count(values: Any, noun: str) -> str:
    return f"{len(values)} {noun}" + ("" if len(values) == 1 else "s")
