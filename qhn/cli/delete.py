"""``qhn sweep delete``: say what goes and what stays, ask, delete."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption
from qhn.cli.words import counted
from qhn.core.errors import InvalidValueError
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.store import Store, open_store
from qhn.sweeps.tracking import TrackingLocation, tracking_location

if TYPE_CHECKING:
    from qhn.sweeps.driver.deletion import Belongings


def delete(
    name: Annotated[str, typer.Argument(help="The sweep's name.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete a sweep, the trials that no other sweep plans, and its experiment in MLflow."""
    from qhn.sweeps.driver.deletion import belongings, delete_sweep

    opened = open_store(store)
    location = tracking_location(opened, tracking_uri)
    console = Console(soft_wrap=True, highlight=False)
    for line in _lines(belongings(opened, name), opened, location):
        console.print(escape(line))
    if not yes:
        _ask(name)
    gone = delete_sweep(opened, name, location)
    console.print(
        f"{escape(name)} is deleted, with {counted(gone.trials, 'trial')}; its name is free"
    )


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidValueError(
            "a deletion must be confirmed, but there is no terminal to ask at; add --yes if it "
            f"is what you want: qhn sweep delete {name} --yes"
        )
    if not typer.confirm("Delete it? This cannot be undone."):
        typer.echo("nothing was deleted")
        raise typer.Exit(1)


def _lines(found: Belongings, store: Store, location: TrackingLocation) -> list[str]:
    """What goes and what stays, a line each."""
    lines = [
        f"{found.name}: {counted(found.trials, 'trial')} and the sweep's own files, "
        f"{size_text(found.size)} in {store.shown}"
    ]
    if not found.is_readable:
        lines.append(
            "its file cannot be read, so nobody knows which trials it has: they stay, and only "
            "its own files and its experiment go"
        )
    elif found.unreadable:
        lines.append(
            f"its {counted(found.shared, 'trial')} stay: the file of {', '.join(found.unreadable)} "
            "cannot be read, and any of them may belong there"
        )
    elif found.shared:
        lines.append(
            f"{counted(found.shared, 'trial')} of it stay, since other sweeps plan them too: "
            f"{', '.join(found.others)}"
        )
    lines.append(
        f"MLflow: the experiment {found.name} in {location.shown}, if it is there (MLflow keeps "
        "hidden rows of what is deleted until `mlflow gc`)"
    )
    return lines
