"""The command line: parse, call, print. Nothing is computed here."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of ``qhn``.

    Exit codes: 0 all well, 1 some trials failed, 2 something the user can mend, 130 interrupted.
    """
    from rich.console import Console
    from rich.text import Text

    from qhn.cli.app import app
    from qhn.core.errors import QhnError

    try:
        app()
    except QhnError as error:
        message = Text.assemble(("error: ", "bold red"), str(error))
        Console(stderr=True, soft_wrap=True).print(message)
        sys.exit(2)
