"""Tables that leave out columns where a terminal is too narrow, and nothing anywhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from qhn.sweeps.planning.factors import FactorTable

# What `_table` takes beside its cells: two spaces for each column, and one for the table.
_GAP, _EDGES = 2, 1
# Words are not broken into pieces shorter than this: nobody could read them.
_SHORTEST = 12
# What no table comes near: rich cannot print without any limit.
_UNLIMITED = 100_000


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head, of one line or two.
        cells: text of each row.
        name: what a person calls the column when it was left out; None for one that always stays.
        is_text: whether the cells are words, which are set to the left and may be broken where
            there is no room; numbers never are.
        style: of all cells, in the words of rich.
    """

    title: str
    cells: Sequence[str]
    name: str | None = None
    is_text: bool = False
    style: str = ""

    @property
    def width(self) -> int:
        """Number of places on the screen that the widest of its lines takes."""
        lines = (line for text in (self.title, *self.cells) for line in text.split("\n"))
        return max(map(cell_len, lines), default=0)

    @property
    def narrowest(self) -> int:
        """Number of places that it needs where there is no room."""
        return min(self.width, _SHORTEST) if self.is_text else self.width


def print_columns(
    console: Console,
    columns: Sequence[Column],
    ends: Collection[int] = (),
    bold: Collection[int] = (),
) -> list[str]:
    """Print a table, and return the names of the columns that a narrow terminal has no room for.

    Output that no terminal shows, as in a pipe or a file, has every column, on lines as long as
    they need to be. Where a terminal has no room even for the columns that always stay, its lines
    run over too, since half a number would be a wrong one.

    Args:
        console: where to print.
        columns: all of the same number of cells; those to the right are left out first.
        ends: numbers of the rows after which a part of the table ends.
        bold: numbers of the rows that stand out.
    """
    shown = fitting(columns, console.width) if console.is_terminal else list(columns)
    table = _table(shown, ends, bold)
    if console.is_terminal and _needed(column.narrowest for column in shown) <= console.width:
        console.print(table, soft_wrap=False)
    else:
        console.print(_Unlimited(table), soft_wrap=True)
    return [column.name for column in columns if column.name and column not in shown]


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit a width, without as many of the last ones as it takes."""
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
            # Words are broken rather than cut: two λ may differ in their last characters.
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
    """A column for each setting that varies, with a cell for each of the groups."""
    return [
        Column(title, [table.cells[group].get(title, "") for group in group_ids], is_text=True)
        for title in table.titles
    ]


def print_shared(console: Console, shared: Mapping[str, str]) -> None:
    """Say once what all groups have in common."""
    if shared:
        settings = ", ".join(f"{title} {value}" for title, value in shared.items())
        print_words(console, Text.assemble(("All groups: ", "bold"), settings))


def print_words(console: Console, text: RenderableType) -> None:
    """Print words, broken between words on a terminal and not broken at all elsewhere."""
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


@dataclass(frozen=True)
class _Unlimited:
    """A table as wide as it would be on a terminal without end."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.table, options.update(max_width=_UNLIMITED))
