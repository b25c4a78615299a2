"""The reports of a trial: a table of numbers with one row for each report.

The columns are the step, the time and the metrics. Different versions may have different metrics
(see `qhn.core.metrics`), so a stored history names its columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME, ORIGINAL_NAMES

_KEYS = ("step", "timestamp_ms")
#: Version f0fdd86 stored histories without the names of columns. These were their columns.
_ORIGINAL_COLUMNS = (*_KEYS, *ORIGINAL_NAMES)


class History:
    """The reports of one trial in the order of their steps.

    A row holds a step (the number of parameter updates before it), the time at which it was first
    reported (milliseconds since 1970) and the value of each metric of `names`. The first row
    decides the names.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._rows: list[tuple[float, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that every row has. There are none before the first row."""
        return self._names

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `to_array`: step, time and then the metrics."""
        return (*_KEYS, *self._names)

    def append(self, step: int, timestamp_ms: int, metrics: Mapping[str, float]) -> None:
        """Add a row.

        A history that another version began keeps its columns. New metrics that it does not name
        are left out, and metrics that this version does not know are NaN from this row on.

        Args:
            step: the number of updates before this report.
            timestamp_ms: the time of the report, in milliseconds since 1970.
            metrics: value by name.

        Raises:
            InvalidValueError: if the step is not larger than the last one, or if a metric is
                missing that this version knows and that earlier rows have.
        """
        names = self._names if self._rows else tuple(metrics)
        missing = [name for name in names if name not in metrics and name in BY_NAME]
        if missing:
            raise InvalidValueError(
                f"a row must hold every metric of the rows before it, "
                f"but this one lacks {', '.join(missing)}"
            )
        if self._rows and step <= self._rows[-1][0]:
            raise InvalidValueError(
                f"steps must increase, but step {step} came after {self._rows[-1][0]:.0f}"
            )
        # Only metrics that this version does not know can be missing here. They become NaN.
        values = (float(metrics.get(name, np.nan)) for name in names)
        self._rows.append((float(step), float(timestamp_ms), *values))
        self._names = names

    @property
    def steps(self) -> list[int]:
        """The step of each row."""
        return [int(row[0]) for row in self._rows]

    @property
    def timestamps(self) -> list[int]:
        """The time of each row, milliseconds since 1970."""
        return [int(row[1]) for row in self._rows]

    def items(self) -> Iterator[tuple[int, int, dict[str, float]]]:
        """The step, the time in milliseconds since 1970 and the metrics of each row."""
        for row in self._rows:
            yield int(row[0]), int(row[1]), dict(zip(self._names, row[2:], strict=True))

    def last(self) -> dict[str, float]:
        """The metrics of the last row by name; empty if there is no row."""
        return dict(zip(self._names, self._rows[-1][2:], strict=True)) if self._rows else {}

    def column(self, name: str) -> FloatArray:
        """One column, shape ``(rows,)``. It is NaN if this history does not have the metric.

        Raises:
            InvalidValueError: if neither this history nor `qhn.core.metrics` knows the name.
        """
        if name not in self.columns:
            if name not in BY_NAME:
                known = dict.fromkeys((*self.columns, *BY_NAME))
                raise InvalidValueError(
                    f"a column must be one of {', '.join(known)}, but got {name!r}"
                )
            # Another version wrote this history, without this metric. That is not a mistake.
            return np.full(len(self), np.nan)
        place = self.columns.index(name)
        return np.array([row[place] for row in self._rows])

    def to_array(self) -> FloatArray:
        """All rows as an array of float64, shape ``(rows, len(columns))``."""
        # Doubles hold whole numbers below 2^53 exactly, and with them steps and milliseconds.
        return np.array(self._rows, dtype=np.float64).reshape(-1, len(self.columns))

    @classmethod
    def from_array(cls, array: NDArray[Any], columns: Sequence[str] = _ORIGINAL_COLUMNS) -> History:
        """The history that `to_array` wrote.

        Args:
            array: shape ``(rows, len(columns))``, float64.
            columns: the names of the columns. The default is the columns of version f0fdd86.

        Raises:
            InvalidValueError: if the shape or the columns are not those of a history, or if steps
                are not whole and increasing.
        """
        array, columns = np.asarray(array), tuple(columns)
        if columns[:2] != _KEYS or len(set(columns)) < len(columns):
            raise InvalidValueError(
                f"columns of a history must begin with {' and '.join(_KEYS)}, each name once, "
                f"but got {', '.join(columns)}"
            )
        if array.ndim != 2 or array.shape[1] != len(columns) or array.dtype != np.float64:
            raise InvalidValueError(
                f"a history must have the shape (rows, {len(columns)}) of float64, "
                f"but got {array.shape} of {array.dtype}; it is of another version"
            )
        keys = array[:, :2]
        whole = np.isfinite(keys).all() and (keys >= 0).all() and (keys == np.floor(keys)).all()
        if not whole or (np.diff(array[:, 0]) <= 0).any():
            raise InvalidValueError(
                f"steps of a history must be whole, >= 0 and increasing, "
                f"but got {array[:, 0].tolist()}"
            )
        history = cls()
        history._names = columns[2:]
        history._rows = [tuple(row) for row in array.tolist()]
        return history

    def state(self) -> ArrayState:
        """The rows as ``history`` and the names as ``history_columns``, for `numpy.savez`."""
        # An array of fixed-width text, not of objects: those would need pickle.
        return {"history": self.to_array(), "history_columns": np.array(self.columns)}

    @classmethod
    def from_state(cls, state: ArrayState) -> History:
        """Read a history from arrays that `state` gave. Other arrays may be among them.

        Arrays of version f0fdd86, which have no ``history_columns``, are read as well.

        Raises:
            InvalidValueError: as `from_array`.
        """
        names = state.get("history_columns")
        if names is None:
            return cls.from_array(state["history"])
        if names.ndim != 1 or names.dtype.kind != "U":
            raise InvalidValueError(
                f"history_columns must be a list of names, but got shape {names.shape} "
                f"of {names.dtype}"
            )
        return cls.from_array(state["history"], names.tolist())
