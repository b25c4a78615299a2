"""The table of results, with a row for each trial, from which every view of a sweep is made.

The terminal, CSV files, the runs of groups in MLflow and the Python API all read these rows, so
that no two of them can disagree.
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
    """One trial of a sweep, and how it ended.

    Attributes:
        trial: the trial.
        result: its result; None if it has neither finished nor been stopped early.
        error: its error; None if it has not failed, or if it has a result since.
    """

    trial: PlannedTrial
    result: TrialResult | None = None
    error: TrialError | None = None

    @property
    def status(self) -> Status:
        """How the trial ended, or ``waiting`` if it has not ended."""
        if self.result is not None:
            return self.result.status
        return "waiting" if self.error is None else "failed"

    @property
    def flags(self) -> Mapping[str, int]:
        """The diagnostic flags, each with the step at which it appeared."""
        if self.result is not None:
            return self.result.flags
        return {} if self.error is None else self.error.flags


def make_rows(
    trials: Iterable[PlannedTrial],
    results: Mapping[str, TrialResult],
    errors: Mapping[str, TrialError],
) -> list[Row]:
    """A row for each trial, in the given order.

    Args:
        trials: the trials of a plan.
        results: results by trial id.
        errors: errors by trial id. If a trial also has a result, its error is ignored.
    """
    rows = []
    for trial in trials:
        result = results.get(trial.trial_id)
        error = None if result is not None else errors.get(trial.trial_id)
        rows.append(Row(trial, result, error))
    return rows


def read_rows(plan: Plan, store: Store) -> list[Row]:
    """The rows of a sweep, read from the store. Nothing is run, and nothing is changed.

    Args:
        plan: the plan of the sweep.
        store: where trials are kept.

    Raises:
        StoreError: if the store cannot be read.
    """
    found = store.outcomes(trial.trial_id for trial in plan.trials)
    return make_rows(plan.trials, as_counted(plan, store, found.results), found.errors)


def cells(row: Row) -> dict[str, Any]:
    """A row as plain values by column name.

    These are ``trial_id``, ``group_id``, ``group``, ``seed``, ``data_seed``, ``status``,
    ``steps``, ``flags``, ``training_seconds``, the settings under the names of MLflow's parameters,
    and the final metrics under their own names. What a trial does not have is left out.
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
    """Flags with their numbers as one text, such as ``barren-plateau=20 collapse-to-string=120``.

    Args:
        flags: a number for each flag: the step at which it appeared, or how many trials have it.
    """
    return " ".join(f"{name}={number}" for name, number in sorted(flags.items()))


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all columns that any of the rows has, in the same order for all sweeps.

    The order does not depend on the rows: identity and outcome come first, then the settings by
    name, and then the metrics in the order of `qhn.core.metrics`. Otherwise a first trial without λ
    would put the column of λ behind those of the metrics.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    between = sorted(name for name in names if name not in _METRICS and name not in _FIRST)
    return [name for name in (*_FIRST, *between, *_METRICS) if name in names]


def frame(rows: Iterable[Row]) -> DataFrame:
    """The rows as a pandas table, with a row for each trial.

    It has a column for each metric, even if no trial has one yet. Values that a trial does not have
    are missing (``isna``). Whole numbers stay whole: a column in which some are missing has the
    type ``Int64``, while pandas by default would make floats of them.
    """
    found = [cells(row) for row in rows]
    return table_of(found, columns([*found, dict.fromkeys((*_FIRST, *_METRICS))]))


def settings_frame(trials: Iterable[PlannedTrial]) -> DataFrame:
    """The trials and their settings as a pandas table, without columns of results."""
    found = [cells(Row(trial)) for trial in trials]
    names = [name for name in columns(found) if name not in ("status", "flags")]
    return table_of(found, names)


def table_of(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> DataFrame:
    """A pandas table of plain values, with a suitable type for each column.

    Args:
        rows: the values of each row by column name. A value that is not there, or is None, is
            missing in the table.
        names: the names of the columns, in their order.
    """
    import pandas as pd

    found = {}
    for name in names:
        values = [row.get(name) for row in rows]
        found[name] = pd.Series(values, dtype=_dtype(name, values))
    return pd.DataFrame(found)


def _dtype(name: str, values: list[Any]) -> str | None:
    """The type of a column for which the choice of pandas would not be suitable; else None."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        # pandas would make a column of objects from missing values only, and it has no mean.
        return "Int64" if name in _WHOLE else "float64"
    if any(value is None for value in values):
        # These two types have room for missing values. pandas would choose floats or objects.
        return "Int64" if kinds == {int} else "boolean" if kinds == {bool} else None
    return None
