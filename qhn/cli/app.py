"""The program ``qhn``: its commands and the options before them."""

from __future__ import annotations

from typing import Annotated

import typer

from qhn.cli.doctor import doctor
from qhn.cli.landscape import landscape
from qhn.cli.lanes import lanes_app
from qhn.cli.options import DEFAULT_STORE
from qhn.cli.predict import model, predict
from qhn.cli.reporting import report
from qhn.cli.sweep import sweep_app
from qhn.cli.train import train
from qhn.cli.ui import ui
from qhn.sweeps.jobs.inside import enter_job

app = typer.Typer(
    name="qhn",
    help="Train quantum hypernetworks and sweep their hyperparameters.\n\n"
    f"Results are kept in {DEFAULT_STORE} unless --store or QHN_STORE name another store.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sweep_app, name="sweep")
app.add_typer(lanes_app, name="lanes")
app.command()(train)
app.command()(ui)
app.command()(doctor)
app.command()(report)
app.command()(landscape)
app.command()(predict)
app.command()(model)


def _print_version(wanted: bool) -> None:
    if wanted:
        from qhn.version import VERSION

        typer.echo(f"qhn {VERSION}")
        raise typer.Exit


@app.callback()
def _shared(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    enter_job()
