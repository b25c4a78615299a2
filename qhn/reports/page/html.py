"""Writes the page of a report: one HTML file without scripts, links or files of its own."""

from __future__ import annotations

import base64
from importlib.resources import files

from qhn.reports import words
from qhn.reports.figures.style import Drawn, Gallery
from qhn.reports.report import Report
from qhn.reports.sentences import sentence

#: A figure whose SVG is larger than this is shown as PNG, because thousands of points are slow to
#: draw in a browser.
_LARGEST_SVG = 250_000


def report_html(report: Report, gallery: Gallery) -> str:
    """The page as text.

    Args:
        report: the content.
        gallery: its figures.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    folder = files("qhn.reports.page")
    template = environment.from_string((folder / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        words=words,
        sentence=sentence,
        style=(folder / "report.css").read_text(encoding="utf-8"),
        pictures=[(figure, _picture(figure)) for figure in gallery.figures],
        absent=gallery.absent,
    )


def _picture(figure: Drawn) -> str | None:
    """The figure as a data URI; None if its SVG goes into the page as it is."""
    if len(figure.svg) <= _LARGEST_SVG:
        return None
    return f"data:image/png;base64,{base64.b64encode(figure.png).decode('ascii')}"
