"""Saves a trained posterior as a model that MLflow can load and serve."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from qhn.core.errors import StoreError
from qhn.core.evaluation.stored_posterior import StoredPosterior
from qhn.sweeps.results.predictions import prediction_table
from qhn.sweeps.tracking.connection import set_environment
from qhn.version import VERSION

_CODE = Path(__file__).with_name("model_code.py")


def save_model(posterior: StoredPosterior, folder: Path, metadata: dict[str, Any]) -> None:
    """Write an MLflow model (pyfunc, from code, without pickle) into a folder.

    ``mlflow models serve -m FOLDER --env-manager local`` serves it where qhn is installed.

    Args:
        posterior: the posterior.
        folder: the folder of the model, which must not exist or be empty.
        metadata: what else to keep with the model, as plain values.

    Raises:
        StoreError: if the folder is not empty or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(
            f"a model must be saved into a new or empty folder, but {folder} is neither; name "
            "another"
        )
    set_environment()
    with _quiet():
        import mlflow.pyfunc
        from mlflow.models import infer_signature

    # The signature follows from any points; those of the example are shown on MLflow's page.
    example = np.zeros((2, posterior.n_inputs))
    answer = prediction_table(posterior.predict(example))
    with TemporaryDirectory() as temporary:
        text = Path(temporary, "posterior.json")
        text.write_text(posterior.to_json(), encoding="utf-8")
        made = Path(temporary, "model")
        with _quiet():
            mlflow.pyfunc.save_model(
                path=str(made),
                python_model=str(_CODE),
                artifacts={"posterior": str(text)},
                signature=infer_signature(example, answer),
                input_example=example,
                pip_requirements=[f"qhn=={VERSION}"],
                metadata=metadata,
            )
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(made, folder, dirs_exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder of a model must be writable, but {folder} is not: "
                f"{error.strerror or error}; name another"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's advice from the terminal: it is about models of other kinds."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(before)
