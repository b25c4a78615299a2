"""The one table of results, a row for each trial, that every view of a sweep is made from.

The terminal, CSV files, MLflow's groups, reports and the Python API all read these rows, so that
no two of them can disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from qhn.core.metrics import METRICS
from qhn.sweeps.config.settings import settings
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.outcomes import as_counted
from qhn.sweeps.store import Store, TrialError, TrialResult

if TYPE_CHECKING:
    from pandas import DataFrame

Status = Literal["finished", "stopped", "failed", "waiting"]

_FIRST = (
    *("trial_id", "group_id", "group", "seed", "data_seed"),
    *("status", "steps", "flags", "training_seconds"),
)
_METRICS = tuple(metric.name for metric in METRICS)
_WHOLE = ("steps",)


@dataclass(frozen=True)
class Row:
    """One trial of a sweep and how it has ended, as that sweep counts it.

    Attributes:
        trial: the trial.
        result: its result, if it has finished or was stopped early.
        error: why it has failed, if it has and was not mended since.
    """

    trial: PlannedTrial
    result: TrialResult | None = None
    error: TrialError | None = None

    @property
    def status(self) -> Status:
        """How the trial has ended; ``waiting`` if it has not."""
        if self.result is not None:
            return self.result.status
        return "waiting" if self.error is None else "failed"

    @property
    def flags(self) -> Mapping[str, int]:
        """Diagnostic flags and the step at which each of them appeared."""
        if self.result is not None:
            return self.result.flags
        return {} if self.error is None else self.error.flags


def make_rows(
    trials: Iterable[PlannedTrial],
    results: Mapping[str, TrialResult],
    errors: Mapping[str, TrialError],
) -> list[Row]:
    """A row for each trial, in the order in which they are given.

    Args:
        trials: of a plan.
        results: by trial id; a trial that has a result has no error that counts.
        errors: by trial id.
    """
    rows = []
    for trial in trials:
        result = results.get(trial.trial_id)
        error = None if result is not None else errors.get(trial.trial_id)
        rows.append(Row(trial, result, error))
    return rows


def read_rows(plan: Plan, store: Store) -> list[Row]:
    """The rows of a sweep as the store has them; nothing is run, and nothing is changed.

    Raises:
        StoreError: if the store cannot be read.
    """
    found = store.outcomes(trial.trial_id for trial in plan.trials)
    return make_rows(plan.trials, as_counted(plan, store, found.results), found.errors)


def cells(row: Row) -> dict[str, Any]:
    """A row as plain values by column, in the order of the columns.

    First what tells the trial apart (``trial_id``, ``group_id``, ``group``, ``seed`` and
    ``data_seed``), then how it ended (``status``, ``steps``, ``flags``, ``training_seconds``), its
    settings under the names of MLflow's parameters, and its final metrics under their own. What a
    trial does not have is left out.
    """
    trial, result = row.trial, row.result
    named = settings(trial.config)
    seed = named.pop("seed")
    found: dict[str, Any] = {
        "trial_id": trial.trial_id,
        "group_id": trial.group_id,
        "group": trial.group,
        "seed": seed,
        "data_seed": trial.config.dataset.seed,
        "status": row.status,
    }
    if result is not None:
        found["steps"] = result.steps
    found["flags"] = flags_text(row.flags)
    if result is not None:
        found["training_seconds"] = result.training_seconds
    found |= named
    return found if result is None else found | dict(result.metrics)


def flags_text(flags: Mapping[str, int]) -> str:
    """Flags and their numbers in one cell: ``barren-plateau=20 collapse-to-string=120``."""
    return " ".join(f"{name}={number}" for name, number in sorted(flags.items()))


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of all columns that any of the rows has, in one order for all sweeps.

    A trial without λ must not push the column of λ behind the metrics of those that have one, so
    metrics come last, in the order of `qhn.core.metrics`.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    between = sorted(name for name in names if name not in _METRICS and name not in _FIRST)
    return [name for name in (*_FIRST, *between, *_METRICS) if name in names]


def frame(rows: Iterable[Row]) -> DataFrame:
    """The rows as a pandas table, which has every metric, also where no trial has one yet.

    Whole numbers stay whole: a column of them in which some are missing is an ``Int64``, of which
    pandas by itself would make floats. What a trial does not have is missing (``isna``).
    """
    found = [cells(row) for row in rows]
    return table_of(found, columns([*found, dict.fromkeys((*_FIRST, *_METRICS))]))


def settings_frame(trials: Iterable[PlannedTrial]) -> DataFrame:
    """The trials and their settings as a pandas table, without anything of their results."""
    found = [cells(Row(trial)) for trial in trials]
    names = [name for name in columns(found) if name not in ("status", "flags")]
    return table_of(found, names)


def table_of(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> DataFrame:
    """A pandas table of plain values, in the type that fits what each column has.

    Args:
        rows: values by column; one that is missing, or None, is missing in the table.
        names: of the columns, in their order.
    """
    import pandas as pd

    found = {}
    for name in names:
        values = [row.get(name) for row in rows]
        found[name] = pd.Series(values, dtype=_dtype(name, values))
    return pd.DataFrame(found)


def _dtype(name: str, values: list[Any]) -> str | None:
    """The type of a column for which pandas' own choice would be no good one; else None."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        # pandas would take it for a column of objects, in which there is no mean.
        return "Int64" if name in _WHOLE else "float64"
    if any(value is None for value in values):
        return "Int64" if kinds == {int} else "boolean" if kinds == {bool} else None
    return None
