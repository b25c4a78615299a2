"""The command line: parse, call, print. Nothing is computed here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``qhn``: run one command, and raise `SystemExit` with its exit code.

    The exit code is 0 if all is well, 1 if some trials failed or MLflow lacks runs (or after a
    mistake of ours, with its traceback), 2 if the user can mend what is wrong, 3 if a sweep's
    process was ended from outside, and 130 after an interruption.

    Args:
        arguments: what follows the program's name; None takes the arguments of this process.
    """
    from qhn.cli.app import app
    from qhn.cli.messages import print_error
    from qhn.core.errors import QhnError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show λ gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        app(arguments, prog_name="qhn")
    except QhnError as error:
        sys.exit(print_error(error))
