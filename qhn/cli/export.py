"""``qhn sweep export``: writes results in full precision for other programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhn.cli.options import DEFAULT_STORE, StoreOption
from qhn.core.errors import StoreError
from qhn.sweeps.store import open_store

if TYPE_CHECKING:
    from pandas import DataFrame


class Format(StrEnum):
    """The formats in which results can be exported."""

    CSV = "csv"


def export(
    name: Annotated[str, typer.Argument(help="The sweep's name.", show_default=False)],
    format_: Annotated[Format, typer.Option("--format", help="The format.")] = Format.CSV,
    curves: Annotated[
        bool, typer.Option("--curves", help="Write a row for each report, not for each trial.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this file, not to standard output.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the results of a sweep as a table: a row for each trial, or for each report."""
    from qhn.sweeps.results.curves import curves_frame
    from qhn.sweeps.results.stored_plan import stored_plan
    from qhn.sweeps.results.table import frame, read_rows

    opened = open_store(store)
    rows = read_rows(stored_plan(opened.sweep(name)), opened)
    _write(curves_frame(rows, opened) if curves else frame(rows), output)


def _write(table: DataFrame, output: Path | None) -> None:
    if output is None:
        # If the reader stops reading, as `head` does, this raises a BrokenPipeError, and typer ends
        # the command without a message.
        table.to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(output, index=False, lineterminator="\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the exported file must be writable, but {output} is not: "
            f"{error.strerror or error}; name another with --output"
        ) from None
    typer.echo(f"{len(table)} rows in {output}", err=True)
