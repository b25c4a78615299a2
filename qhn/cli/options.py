"""The options that several commands have."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from qhn.sweeps.jobs.commands import submitted_by
from qhn.sweeps.store import Store
from qhn.sweeps.store.opening import DEFAULT_STORE as DEFAULT_STORE
from qhn.sweeps.store.opening import default_store

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="QHN_STORE",
        help="Where results are kept: a folder, which also has logs and the default MLflow "
        "database, or s3://BUCKET/PREFIX.",
        show_default=DEFAULT_STORE,
    ),
]


def folder_uri(path: str) -> str:
    """The address of the store in a folder."""
    return Path(path).expanduser().absolute().as_uri()


def store_option(store: Store) -> str:
    """The option that names a store in a command, with a space before it.

    It is empty for the store that is used without the option.
    """
    if store.uri in (default := default_store().rstrip("/"), folder_uri(default)):
        return ""
    return f" --store {shlex.quote(store.shown)}"


def how_to_continue(name: str, store: Store, more: str = "") -> str:
    """The command that continues a sweep, where the person is who reads it.

    Args:
        name: the name of the sweep.
        store: where it is kept.
        more: further options, with a space before each.
    """
    # A job writes for somebody on another machine, who has submitted the file of the sweep.
    if submitted_by() is not None:
        return "qhn sweep submit FILE"
    return f"qhn sweep resume {name}{store_option(store)}{more}"


TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow's tracking URI. Without it MLFLOW_TRACKING_URI is used, or a database in the "
        "store.",
    ),
]
