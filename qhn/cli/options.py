"""Options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

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
TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow tracking URI; else MLFLOW_TRACKING_URI, else a database in the store.",
    ),
]
