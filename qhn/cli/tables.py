"""Prints tables. On a narrow terminal columns are left out; a pipe or a file gets all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from qhn.sweeps.planning.factors import FactorTable

# The width of a table beside its cells: two spaces for each column, and one for the table.
_GAP, _EDGES = 2, 1
# Words are not broken into pieces shorter than this, because nobody could read them.
_SHORTEST = 12
# rich needs a limit for the width. No table is as wide as this.
_UNLIMITED = 100_000


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: the title, on one line or two.
        cells: the text of each row.
        name: the name under which it is mentioned if it was left out; None if it must never be
            left out.
        is_text: whether the cells are words. Words are aligned on the left and may be broken into
            several lines if there is little room. Numbers are never broken.
        style: the style of all cells, as rich defines it.
    """

    title: str
    cells: Sequence[str]
    name: str | None = None
    is_text: bool = False
    style: str = ""

    @property
    def width(self) -> int:
        """The width of its widest line, in characters of the terminal."""
        lines = (line for text in (self.title, *self.cells) for line in text.split("\n"))
        return max(map(cell_len, lines), default=0)

    @property
    def narrowest(self) -> int:
        """The smallest width to which it can be broken, in characters of the terminal."""
        return min(self.width, _SHORTEST) if self.is_text else self.width


def print_columns(
    console: Console,
    columns: Sequence[Column],
    ends: Collection[int] = (),
    bold: Collection[int] = (),
) -> list[str]:
    """Print a table, and return the names of the columns that were left out.

    On a terminal, columns that do not fit are left out. In a pipe or a file all columns are printed
    on lines of any length. If a terminal is too narrow even for the columns that must stay, the
    lines are wrapped by the terminal, because a number that is cut off would be a wrong number.

    Args:
        console: where to print.
        columns: the columns, all with the same number of cells. The last ones are left out first.
        ends: the indices of the rows after which a section of the table ends.
        bold: the indices of the rows that are printed in bold.
    """
    shown = fitting(columns, console.width) if console.is_terminal else list(columns)
    table = _table(shown, ends, bold)
    if console.is_terminal and _needed(column.narrowest for column in shown) <= console.width:
        console.print(table, soft_wrap=False)
    else:
        console.print(_Unlimited(table), soft_wrap=True)
    return [column.name for column in columns if column.name and column not in shown]


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns without as many of the last ones as necessary to fit a width.

    Args:
        columns: the columns. Those without a name are kept in any case.
        width: the width in characters of the terminal.
    """
    shown = list(columns)
    for column in reversed(columns):
        if _needed(found.width for found in shown) <= width:
            break
        if column.name is not None:
            shown.remove(column)
    return shown


def _needed(widths: Iterable[int]) -> int:
    return _EDGES + sum(width + _GAP for width in widths)


def _table(columns: Sequence[Column], ends: Collection[int], bold: Collection[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column.title,
            justify="left" if column.is_text else "right",
            # Words are broken and not cut off, because two λ may differ in their last characters.
            overflow="fold",
            no_wrap=not column.is_text,
            min_width=column.narrowest,
            style=column.style,
            vertical="bottom",
        )
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        style = "bold" if number in bold else ""
        table.add_row(*map(Text, cells), style=style, end_section=number in ends)
    return table


def factor_columns(table: FactorTable, group_ids: Sequence[str]) -> list[Column]:
    """A column for each setting that varies, with a cell for each group."""
    return [
        Column(title, [table.cells[group].get(title, "") for group in group_ids], is_text=True)
        for title in table.titles
    ]


def print_shared(console: Console, shared: Mapping[str, str]) -> None:
    """Print the settings that all groups share."""
    if shared:
        settings = ", ".join(f"{title} {value}" for title, value in shared.items())
        print_words(console, Text.assemble(("All groups: ", "bold"), settings))


def print_words(console: Console, text: RenderableType) -> None:
    """Print a text. On a terminal its lines are broken between words, elsewhere not at all."""
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


@dataclass(frozen=True)
class _Unlimited:
    """A table that is printed as on a terminal of unlimited width."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.table, options.update(max_width=_UNLIMITED))
