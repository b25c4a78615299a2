"""Prints figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a table in which each column is one measurement, and each row one figure of it.

    Args:
        title: the title of the table.
        columns: the figures of each measurement by their names, by its title.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    names = dict.fromkeys(name for figures in columns.values() for name in figures)
    for name in names:
        table.add_row(name, *(_text(figures.get(name)) for figures in columns.values()))
    Console().print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(one) for one in value)
    # A digest is compared, and never read.
    return str(value) if len(str(value)) < 40 else str(value)[:12]
