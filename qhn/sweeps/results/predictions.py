"""Points that are to be predicted, and predictions as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.data.csv_file import read_csv_file
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.predictive import Predictive

if TYPE_CHECKING:
    from pandas import DataFrame


def prediction_table(found: Predictive) -> DataFrame:
    """A pandas table with a row for each point.

    The columns are ``probability`` (of label 1), ``label`` (1 if it is above 1/2), ``deviation``
    (over networks), ``entropy``, ``aleatoric`` and ``epistemic`` (in nats; see `Predictive`).
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "probability": found.probability,
            "label": (found.probability > 0.5).astype(np.int64),
            "deviation": found.deviation,
            "entropy": found.entropy,
            "aleatoric": found.aleatoric,
            "epistemic": found.epistemic,
        }
    )


def read_points(path: Path, n_inputs: int) -> FloatArray:
    """The points in a CSV file, one column for each coordinate; see `read_csv_file`.

    Args:
        path: the file.
        n_inputs: the number of coordinates, d.

    Returns:
        Shape ``(n, d)``.

    Raises:
        NotFoundError: if there is no such file.
        InvalidValueError: if it cannot be read as such a table.
    """
    table = read_csv_file(path)
    if table.values.shape[1] != n_inputs:
        raise InvalidValueError(
            f"{path} must have {n_inputs} columns, one for each coordinate of a point, but has "
            f"{table.values.shape[1]}; leave out labels and row numbers"
        )
    return table.values
