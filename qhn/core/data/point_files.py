"""Reads labelled points from files of people: CSV and NPZ, and images of the MNIST family."""

from __future__ import annotations

import math
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qhn.core.data.csv_file import listed, rows_of
from qhn.core.data.point_sets import PointSet, check_points
from qhn.core.errors import InvalidValueError, NotFoundError

_DEFAULT_LABELS = "y"


def read_points_file(path: Path, label: str | None = None) -> PointSet:
    """Labelled points from a CSV or NPZ file, told apart by the ending of its name.

    A CSV file has a header, a row for each point, and a column for each coordinate and one for the
    labels. An NPZ file has the array ``x`` of shape ``(n, d)`` and one with the labels, shape
    ``(n,)``; it must not need pickle. There must be two labels, numbers or words; the second one in
    their order is class 1.

    Args:
        path: the file.
        label: the column or array with the labels; None for the last column, or the array ``y``.

    Raises:
        NotFoundError: if there is no such file.
        InvalidValueError: if it cannot be read as such.
    """
    if not path.is_file():
        raise NotFoundError(f"points are read from a file, but there is no {path}")
    if path.suffix.lower() == ".npz":
        return _npz(path, label or _DEFAULT_LABELS)
    return _csv(path, label)


def _csv(path: Path, label: str | None) -> PointSet:
    rows = rows_of(path)
    names = [name.strip() for name in rows[0][1]] if rows else []
    if len(rows) < 2 or all(_number(name) is not None for name in names):
        raise InvalidValueError(
            f"{path} must have a header, which names the columns, and a row for each point; add one"
        )
    if label is not None and names.count(label) != 1:
        raise InvalidValueError(
            f"{path} must have one column {label!r} with the labels, but its columns are "
            f"{', '.join(names)}; name another with label"
        )
    if len(names) < 2:
        raise InvalidValueError(f"{path} must have labels and at least one coordinate")
    place = len(names) - 1 if label is None else names.index(label)
    body = rows[1:]
    uneven = [line for line, row in body if len(row) != len(names)]
    if uneven:
        raise InvalidValueError(
            f"{path} must have {len(names)} columns on each line, as in its header, but has others "
            f"on {listed(uneven)}; mend these lines"
        )
    coordinates = [[_number(cell) for i, cell in enumerate(row) if i != place] for _, row in body]
    wrong = [
        line
        for (line, _), values in zip(body, coordinates, strict=True)
        if not all(value is not None and math.isfinite(value) for value in values)
    ]
    if wrong:
        raise InvalidValueError(
            f"{path} must have finite numbers besides the labels in {names[place]!r}, but has "
            f"something else on {listed(wrong)}; leave these rows or columns out"
        )
    labels = np.array([row[place].strip() for _, row in body])
    return check_points(np.array(coordinates, dtype=np.float64), _classes(path, labels))


def _npz(path: Path, label: str) -> PointSet:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ("x", label) if name not in file.files]
            if missing:
                raise InvalidValueError(
                    f"{path} must have the arrays x and {label}, but has "
                    f"{', '.join(file.files) or 'none'}; name the labels with label"
                )
            x, labels = file["x"], file[label]
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise InvalidValueError(
            f"{path} must be an NPZ file without pickled objects, but: {error}"
        ) from None
    if x.dtype.kind not in "biuf":
        raise InvalidValueError(f"{path}: x must be numbers, but is {x.dtype}")
    x = x.astype(np.float64)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise InvalidValueError(
            f"{path}: x must have the shape (n, d) and {label} (n,), but they have {x.shape} and "
            f"{labels.shape}"
        )
    try:
        return check_points(x, _classes(path, labels))
    except InvalidValueError as error:
        raise InvalidValueError(f"{path}: {error}") from None


def _classes(path: Path, labels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Labels as 0 and 1."""
    numbers = [_number(str(label)) for label in labels.tolist()]
    if all(number is not None for number in numbers):
        labels = np.array(numbers, dtype=np.float64)
    known = np.unique(labels)
    if len(known) != 2:
        few = ", ".join(map(str, known[:5].tolist()))
        more = ", …" if len(known) > 5 else ""
        raise InvalidValueError(
            f"{path} must have two labels, but has {len(known)}: {few}{more}; leave other rows out"
        )
    classes: NDArray[np.float64] = (labels == known[1]).astype(np.float64)
    return classes


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
