"""``qhn sweep delete``: says what will be deleted and what stays, asks, and deletes."""

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
from qhn.sweeps.results.lane_jobs import jobs_of, queues, with_steps_of
from qhn.sweeps.store import Store, open_store
from qhn.sweeps.store.removal import have_samples
from qhn.sweeps.tracking import TrackingLocation, tracking_location
from qhn.sweeps.tracking.disk_use import sweep_bytes

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
            "a deletion must be confirmed, but there is no terminal on which to ask; to confirm "
            f"it, add --yes: qhn sweep delete {name} --yes"
        )
    if not typer.confirm("Delete it? This cannot be undone."):
        typer.echo("nothing was deleted")
        raise typer.Exit(1)


def _lines(found: Belongings, store: Store, location: TrackingLocation) -> list[str]:
    """Lines that say what will be deleted and what stays."""
    size = sweep_bytes(store, found.name, found.folders, location)
    with_artifacts = "" if location.artifacts is None else " with MLflow's artifacts"
    lines = [
        f"{found.name}: {counted(found.trials, 'trial')} and the sweep's own files in "
        f"{store.shown}, which take {size_text(size)} on disk{with_artifacts}"
    ]
    one = found.shared == 1
    stays, them, any_of_them = ("stays", "it", "it") if one else ("stay", "them", "any of them")
    if not found.is_readable:
        lines.append(
            "its file cannot be read, so nobody knows which trials it has: they stay, and only "
            "the sweep's own files and its experiment are deleted"
        )
    elif found.unreadable:
        lines.append(
            f"its {counted(found.shared, 'trial')} {stays}: the file of "
            f"{', '.join(found.unreadable)} cannot be read, and {any_of_them} may belong there"
        )
    elif found.shared:
        lines.append(
            f"{counted(found.shared, 'trial')} of it {stays}, since other sweeps plan {them} too: "
            f"{', '.join(found.others)}"
        )
    lines += _lane_lines(found, store)
    lines.append(
        f"MLflow: the experiment {found.name} in {location.shown}, if there is one (MLflow only "
        "hides its rows, until you call `mlflow gc`)"
    )
    return lines


def _lane_lines(found: Belongings, store: Store) -> list[str]:
    """What becomes of jobs that were paid for, and of their samples."""
    known = [record for queue in queues(store) for record in jobs_of(store, queue)]
    mine = with_steps_of(store, found.name, known)
    lines = []
    if mine:
        left = sum(not record.is_over for record in mine)
        there = f", of which {left} may still be at the provider" if left else ""
        lines.append(
            f"the ledger stays, with {counted(len(mine), 'job')} of it{there}: if the sweep is run "
            "again, it pays for none of them twice, but fetches their results from the provider, "
            "and its trials fail where these are gone"
        )
    if have_samples(store, found.folders):
        lines.append(
            "samples that a quantum processor drew are deleted with their trials, and cannot be "
            "drawn again"
        )
    return lines
