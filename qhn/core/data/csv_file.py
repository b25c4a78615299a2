"""Reads a CSV file of numbers, and names all of its mistakes with their lines."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError, NotFoundError

_SHOWN = 5


@dataclass(frozen=True)
class CsvTable:
    """The numbers of a CSV file.

    Attributes:
        names: the names of the columns; None if the file has no header.
        values: the numbers, shape ``(n, m)``.
    """

    names: tuple[str, ...] | None
    values: FloatArray


def read_csv_file(path: Path) -> CsvTable:
    """Read a table of finite numbers. Empty lines are passed over.

    The first line is a header if one of its cells is no number. So a header of numbers cannot be
    told from a row, and ``nan`` is a number that is not finite, which is a mistake on every line.

    Raises:
        NotFoundError: if there is no such file.
        InvalidValueError: if it is no such table. All mistakes are named.
    """
    rows = rows_of(path)
    if not rows:
        raise InvalidValueError(
            f"{path} must be a CSV file with a row for each point, but is empty"
        )
    first_line, first = rows[0]
    names = None
    if any(_number(cell) is None for cell in first):
        names, rows = tuple(first), rows[1:]
        if not rows:
            raise InvalidValueError(
                f"{path} must have a row for each point, but line {first_line}, which is taken for "
                f"a header since {_word(first)!r} is no number, is its only one"
            )
    values = [[_number(cell) for cell in row] for _, row in rows]
    uneven = [line for line, row in rows if len(row) != len(first)]
    wrong = [
        line
        for (line, _), row in zip(rows, values, strict=True)
        if not all(value is not None and math.isfinite(value) for value in row)
    ]
    mistakes = []
    if uneven:
        mistakes.append(
            f"must have as many columns on each line as on line {first_line}, which has "
            f"{len(first)}, but has others on {listed(uneven)}; mend these lines"
        )
    if wrong:
        mistakes.append(
            f"must have finite numbers only, but has something else on {listed(wrong)}; leave "
            "these rows out"
        )
    if mistakes:
        raise InvalidValueError(f"{path} " + "; and it ".join(mistakes))
    return CsvTable(names, np.array(values, dtype=np.float64))


def rows_of(path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each line that is not empty, with the number of the line, from 1.

    Raises:
        NotFoundError: if there is no such file.
        InvalidValueError: if it is no CSV file in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            return [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except FileNotFoundError:
        raise NotFoundError(f"points are read from a CSV file, but there is no {path}") from None
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidValueError(
            f"{path} must be a CSV file in UTF-8 with a row for each point, but: {reason}"
        ) from None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _word(row: list[str]) -> str:
    return next(cell for cell in row if _number(cell) is None)


def listed(lines: list[int]) -> str:
    """Some numbers of lines in words, the first few of many."""
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"line {', '.join(map(str, lines[:_SHOWN]))}{more}"
