"""Points that are to be predicted, and predictions as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError, NotFoundError
from qhn.core.evaluation.predictive import Predictive

if TYPE_CHECKING:
    from pandas import DataFrame

_SHOWN = 5


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
    """The points in a CSV file, with a header line or without, one column for each coordinate.

    Args:
        path: the file.
        n_inputs: the number of coordinates, d.

    Returns:
        Shape ``(n, d)``.

    Raises:
        NotFoundError: if there is no such file.
        InvalidValueError: if it cannot be read as such a table. All mistakes are named.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, header=None, skipinitialspace=True)
    except FileNotFoundError:
        raise NotFoundError(f"points are read from a CSV file, but there is no {path}") from None
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InvalidValueError(
            f"{path} must be a CSV file with a row for each point, but: {reason}"
        ) from None
    numbers = table.apply(pd.to_numeric, errors="coerce")
    if numbers.iloc[0].isna().all() and len(table) > 1:
        # The first line has names.
        table, numbers = table.iloc[1:], numbers.iloc[1:]
    mistakes = []
    if table.shape[1] != n_inputs:
        mistakes.append(
            f"must have {n_inputs} columns, one for each coordinate of a point, but has "
            f"{table.shape[1]}; leave out labels and row numbers"
        )
    wrong = ~np.isfinite(numbers.to_numpy(dtype=np.float64))
    if wrong.any():
        lines = (np.flatnonzero(wrong.any(axis=1)) + int(table.index[0]) + 1).tolist()
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        listed = ", ".join(map(str, lines[:_SHOWN]))
        mistakes.append(
            f"must have finite numbers only, but has others in line {listed}{more}; leave these "
            "rows out"
        )
    if mistakes:
        raise InvalidValueError(f"{path} " + "; and it ".join(mistakes))
    points: FloatArray = numbers.to_numpy(dtype=np.float64)
    return points
