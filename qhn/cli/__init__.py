"""The command line. It reads options, calls the other packages, and prints what they return."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of ``qhn``. It runs one command, and raises `SystemExit` with an exit code.

    The exit code is 0 if everything is done; 1 if a trial failed, if MLflow did not take all runs,
    or after an error in qhn itself, which is shown with its traceback; 2 after a mistake that the
    user can mend; 3 if the process of a sweep was ended from outside; and 130 after an
    interruption.

    Args:
        arguments: the arguments after the name of the program; None for those of this process.
    """
    from qhn.cli.app import app
    from qhn.cli.messages import print_error
    from qhn.core.errors import QhnError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal whose encoding has no λ then shows a question mark. By default printing
            # would fail.
            stream.reconfigure(errors="replace")
    try:
        app(arguments, prog_name="qhn")
    except QhnError as error:
        sys.exit(print_error(error))
