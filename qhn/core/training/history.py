"""What a trial reported, row by row: step, time and metrics, kept as numbers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError

ACCURACIES = (
    "train_accuracy_expected",
    "test_accuracy_expected",
    "train_accuracy_mode",
    "test_accuracy_mode",
    "train_accuracy_average",
    "test_accuracy_average",
    "train_accuracy_best_of_k",
    "test_accuracy_best_of_k",
)
METRICS = (
    *("objective", "lambda", "nll", "kl", "mmd2", "entropy", "gradient_norm"),
    *ACCURACIES,
)
COLUMNS = ("step", "timestamp_ms", *METRICS)


class History:
    """The reports of one trial in the order of their steps.

    A row is a step (parameter updates made before it), the time at which it was first made
    (milliseconds since 1970) and the value of each of `METRICS`.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, step: int, timestamp_ms: int, metrics: Mapping[str, float]) -> None:
        """Add a row.

        Raises:
            InvalidValueError: if the step is not larger than the last one, or metrics are missing
                or unknown.
        """
        if set(metrics) != set(METRICS):
            odd = ", ".join(sorted(set(metrics) ^ set(METRICS)))
            raise InvalidValueError(f"a row must hold every metric once, but it differs in {odd}")
        if self._rows and step <= self._rows[-1][0]:
            raise InvalidValueError(
                f"steps must increase, but step {step} came after {self._rows[-1][0]:.0f}"
            )
        values = (float(metrics[name]) for name in METRICS)
        self._rows.append((float(step), float(timestamp_ms), *values))

    @property
    def steps(self) -> list[int]:
        """The step of each row."""
        return [int(row[0]) for row in self._rows]

    @property
    def timestamps(self) -> list[int]:
        """The time of each row, milliseconds since 1970."""
        return [int(row[1]) for row in self._rows]

    def items(self) -> Iterator[tuple[int, int, dict[str, float]]]:
        """Step, time in milliseconds and metrics of each row."""
        for row in self._rows:
            yield int(row[0]), int(row[1]), dict(zip(METRICS, row[2:], strict=True))

    def last(self) -> dict[str, float]:
        """Metrics of the latest row, empty before the first."""
        return dict(zip(METRICS, self._rows[-1][2:], strict=True)) if self._rows else {}

    def column(self, name: str) -> FloatArray:
        """One of `COLUMNS` over all rows, shape ``(rows,)``."""
        if name not in COLUMNS:
            raise InvalidValueError(f"column must be one of {', '.join(COLUMNS)}, but got {name!r}")
        place = COLUMNS.index(name)
        return np.array([row[place] for row in self._rows])

    def to_array(self) -> FloatArray:
        """All rows, shape ``(rows, len(COLUMNS))``; times below 2^53 are exact."""
        return np.array(self._rows, dtype=np.float64).reshape(-1, len(COLUMNS))

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> History:
        """The history that `to_array` put down.

        Raises:
            InvalidValueError: if the shape is another, or steps are not whole and increasing.
        """
        array = np.asarray(array)
        if array.ndim != 2 or array.shape[1] != len(COLUMNS) or array.dtype != np.float64:
            raise InvalidValueError(
                f"a history must have the shape (rows, {len(COLUMNS)}) of float64, "
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
        history._rows = [tuple(row) for row in array.tolist()]
        return history
