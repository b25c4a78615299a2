"""The training curves of a sweep as one table, with a row for each report of each trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qhn.core.metrics import METRICS
from qhn.sweeps.results.table import Row, table_of
from qhn.sweeps.store import Store, read_record

if TYPE_CHECKING:
    from pandas import DataFrame


def curves_frame(rows: Iterable[Row], store: Store) -> DataFrame:
    """All reports of some trials, in the order of the rows and then of the steps.

    The columns are ``trial_id``, ``group_id``, ``seed``, ``step`` (the number of parameter updates
    before the report), and each metric under its name. If the sweep has stopped a trial early, its
    reports end there, even if another sweep has trained it further. A trial that has not ended has
    the reports so far.

    Args:
        rows: the rows of a sweep, see `qhn.sweeps.results.table.read_rows`.
        store: the store from which the rows were read.

    Raises:
        StoreError: if the store cannot be read.
    """
    found: list[dict[str, Any]] = []
    for row in rows:
        stop = row.result if row.status == "stopped" else None
        record = read_record(store, row.trial.trial_id, stop=stop)
        for step, _, metrics in record.history.items():
            found.append(
                {
                    "trial_id": row.trial.trial_id,
                    "group_id": row.trial.group_id,
                    "seed": row.trial.config.seed,
                    "step": step,
                    **metrics,
                }
            )
    names = dict.fromkeys(("trial_id", "group_id", "seed", "step"))
    names |= dict.fromkeys(metric.name for metric in METRICS)
    # A trial that another version of qhn has trained may have metrics that this one does not know.
    names |= dict.fromkeys(name for report in found for name in report)
    return table_of(found, names)
