"""The command line: parse, call, print. Nothing is computed here."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def main() -> None:
    """Entry point of ``qhn``.

    Exit codes: 0 all well, 1 some trials failed, 2 something the user can mend, 130 interrupted.
    """
    from rich.console import Console
    from rich.text import Text

    from qhn.cli.app import app
    from qhn.core.errors import QhnError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show λ gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        app()
    except QhnError as error:
        message = Text.assemble(("error: ", "bold red"), str(error))
        Console(stderr=True, soft_wrap=True).print(message)
        sys.exit(2)
