"""The training curves of a sweep as one table, with a row for each report of each trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.metrics import METRICS
from qhn.sweeps.results.table import Row
from qhn.sweeps.store import Store, read_record

if TYPE_CHECKING:
    from pandas import DataFrame


def curves_frame(rows: Iterable[Row], store: Store) -> DataFrame:
    """All reports of some trials, in the order of the rows and then of the steps.

    The columns are ``trial_id``, ``group_id``, ``seed``, ``data_seed``, ``step`` (the number of
    parameter updates before the report), and each metric under its name. If the sweep has stopped a
    trial early, its reports end there, even if another sweep has trained it further. A trial that
    has not ended has the reports so far.

    Args:
        rows: the rows of a sweep, see `qhn.sweeps.results.table.read_rows`.
        store: the store from which the rows were read.

    Raises:
        StoreError: if the store cannot be read.
    """
    import pandas as pd

    trials: list[tuple[str, str, int, int]] = []
    columns: list[tuple[str, ...]] = []
    reports: list[FloatArray] = []
    for row in rows:
        trial = row.trial
        stop = row.result if row.status == "stopped" else None
        history = read_record(store, trial.trial_id, stop=stop).history
        config = trial.config
        trials.append((trial.trial_id, trial.group_id, config.seed, config.dataset.seed))
        columns.append(history.columns)
        reports.append(history.to_array())
    lengths = np.array([len(array) for array in reports], dtype=np.intp)

    def repeated(values: list[Any], kind: type) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype=kind), lengths)

    def joined(name: str) -> FloatArray:
        parts = [
            array[:, found.index(name)] if name in found else np.full(len(array), np.nan)
            for found, array in zip(columns, reports, strict=True)
        ]
        return np.concatenate([np.empty(0), *parts])

    names = dict.fromkeys(metric.name for metric in METRICS)
    # A trial that another version of qhn has trained may have metrics that this one does not know.
    # The first two columns of a history are the step and the time.
    names |= dict.fromkeys(name for found in columns for name in found[2:])
    return pd.DataFrame(
        {
            "trial_id": repeated([found[0] for found in trials], object),
            "group_id": repeated([found[1] for found in trials], object),
            "seed": repeated([found[2] for found in trials], np.int64),
            "data_seed": repeated([found[3] for found in trials], np.int64),
            "step": joined("step").astype(np.int64),
            **{name: joined(name) for name in names},
        }
    )
