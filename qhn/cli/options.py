"""Options that several commands take."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from qhn.sweeps.store import Store

DEFAULT_STORE = "~/.qhn"

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
    default = os.environ.get("QHN_STORE", DEFAULT_STORE)
    if store.uri == Path(default).expanduser().absolute().as_uri():
        return ""
    return f" --store {shlex.quote(store.shown)}"


TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow tracking URI; else MLFLOW_TRACKING_URI, else a database in the store.",
    ),
]
