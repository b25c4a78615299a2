"""Prints errors and notes for people."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from qhn.core.errors import QhnError

#: The exit code after a mistake that the user can mend.
MENDABLE = 2


def print_error(error: QhnError) -> int:
    """Print an error as one message without a traceback, and return its exit code."""
    message = Text.assemble(("error: ", "bold red"), str(error))
    Console(stderr=True, soft_wrap=True).print(message)
    return MENDABLE


def print_note(console: Console, text: str) -> None:
    """Print a line about something that people should know although it is not an error."""
    console.print(Text.assemble(("note: ", "yellow"), text), soft_wrap=True)
