"""How figures look: colours that the colour-blind can tell apart, and lines that survive print."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The colours of Okabe and Ito (2008), without yellow, which is too light on paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", "-.", ":")
#: From low to high, and readable in grey.
MAP = "cividis"
_SETTINGS: dict[str, Any] = {
    "font.size": 9.0,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    # Letters as paths, so that the figure looks the same everywhere.
    "svg.fonttype": "path",
    # Without a fixed salt each file would have other ids.
    "svg.hashsalt": "qhn",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Drawn:
    """One figure of a report.

    Attributes:
        name: the name of its files without an ending, in letters, digits and hyphens.
        caption: what it shows, in a sentence or two.
        svg: the figure as SVG text, without the XML declaration.
        png: the figure as PNG.
        section: the data set to which it belongs; empty if it is about all of them.
    """

    name: str
    caption: str
    svg: str
    png: bytes
    section: str = ""


@dataclass(frozen=True)
class Gallery:
    """The figures of a report.

    Attributes:
        figures: the figures, in the order of the report.
        absent: for each data set by name, what is not drawn and why, in words.
    """

    figures: tuple[Drawn, ...]
    absent: Mapping[str, tuple[str, ...]]


@contextmanager
def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """A new figure and its axes, in the style of the reports.

    Args:
        width: in inches.
        height: in inches.
        rows: rows of axes.
        columns: columns of axes.
        options: further options of `Figure.subplots`.

    Yields:
        The figure, and its axes as an array of shape ``(rows, columns)``.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Settings count when a figure is made and when it is drawn, and must not leak to the user's.
    settings: Any = _SETTINGS
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height))
        yield figure, figure.subplots(rows, columns, squeeze=False, **options)


def finish(figure: Figure, name: str, caption: str) -> Drawn:
    """Draw a figure. It must be called within the context of `canvas`."""
    svg, png = io.StringIO(), io.BytesIO()
    # The axes are arranged once, and not for each format anew, which takes half of the time.
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    text = svg.getvalue()
    # In a page no declaration may stand before the element, and figures must not share ids.
    text = text[text.index("<svg") :]
    # For those who have the page read to them.
    text = text.replace("<svg", f'<svg role="img" aria-label="{escape(caption, quote=True)}"', 1)
    safe = file_name(name)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{safe}-", text)
    return Drawn(safe, caption, text, png.getvalue())


def file_name(text: str) -> str:
    """A text as the name of a file: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def colour(place: int) -> str:
    """The colour of the thing at a place, counted from 0."""
    return COLOURS[place % len(COLOURS)]


def line(place: int) -> str:
    """The style of its line, which changes when the colours begin again."""
    # Each time the colours begin again, a colour gets the next line.
    return LINES[(place % len(COLOURS) + place // len(COLOURS)) % len(LINES)]


def marker(place: int) -> str:
    """Its marker."""
    return MARKERS[place % len(MARKERS)]
