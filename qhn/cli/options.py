"""Options that several commands take."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from qhn.sweeps.store import Store
from qhn.sweeps.store.opening import DEFAULT_STORE as DEFAULT_STORE
from qhn.sweeps.store.opening import default_store

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="QHN_STORE",
        help="Folder of results, logs and the default MLflow database.",
        show_default=DEFAULT_STORE,
    ),
]


def store_option(store: Store) -> str:
    """The option that names this store again; empty for the one that needs no naming."""
    if store.uri == Path(default_store()).expanduser().absolute().as_uri():
        return ""
    return f" --store {shlex.quote(store.shown)}"


TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow tracking URI; else MLFLOW_TRACKING_URI, else a database in the store.",
    ),
]
