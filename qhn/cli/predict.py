"""``qhn predict`` and ``qhn model``: what a trained posterior says about new points."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.options import DEFAULT_STORE, StoreOption
from qhn.cli.tables import print_words
from qhn.core.errors import StoreError

if TYPE_CHECKING:
    from qhn.api.trial import Trial

TrialArgument = Annotated[
    str, typer.Argument(metavar="TRIAL", help="The trial's id.", show_default=False)
]


def predict(
    trial: TrialArgument,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FILE",
            help="A CSV file with a row for each point and a column for each coordinate. Its first "
            "line is a header if one of its cells is no number.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to this file, not to standard output."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Predict labels of new points, averaged over a trial's posterior, with their uncertainty."""
    from qhn.sweeps.results.predictions import prediction_table, read_points

    posterior = _loaded(trial, store).posterior()
    table = prediction_table(posterior.predict(read_points(data, posterior.n_inputs)))
    table.insert(0, "row", range(len(table)))
    if out is None:
        table.to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    try:
        table.to_csv(out, index=False, lineterminator="\n")
    except OSError as error:
        raise StoreError(
            f"the file of predictions must be writable, but {out} is not: "
            f"{error.strerror or error}; name another with --out"
        ) from None
    typer.echo(f"{len(table)} predictions in {out}", err=True)


def model(
    trial: TrialArgument,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder for it.", show_default=False)
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Save a trial's posterior as an MLflow model, which `mlflow models serve` serves."""
    from qhn.sweeps.tracking.model import save_model

    loaded = _loaded(trial, store)
    save_model(loaded.posterior(), folder, {"trial": loaded.trial_id})
    console = Console(highlight=False)
    print_words(
        console,
        f"The model is in {escape(str(folder))}. To serve it on this machine: "
        f"mlflow models serve -m {escape(str(folder))} --env-manager local --host 127.0.0.1",
    )


def _loaded(trial: str, store: str) -> Trial:
    from qhn.api.trial import load_trial

    return load_trial(trial, store)
