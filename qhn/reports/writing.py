"""Writes a report into a folder: page, text, numbers and figures."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qhn.core.errors import StoreError
from qhn.reports.as_json import report_json
from qhn.reports.figures.style import Drawn
from qhn.reports.gallery import draw_all
from qhn.reports.making import make_report
from qhn.reports.markdown import report_markdown
from qhn.reports.options import DEFAULT, ReportOptions
from qhn.reports.page.html import report_html
from qhn.reports.report import Report
from qhn.sweeps.store import Store

FIGURES = "figures"
PAGE, TEXT, NUMBERS = "report.html", "report.md", "report.json"


@dataclass(frozen=True)
class WrittenReport:
    """A report and its files.

    Attributes:
        report: the content.
        page: the text of ``report.html``.
        text: the text of ``report.md``.
        numbers: the text of ``report.json``.
        figures: the figures.
    """

    report: Report
    page: str
    text: str
    numbers: str
    figures: Sequence[Drawn]

    def files(self) -> dict[str, bytes]:
        """The contents of all files by their paths, the page last."""
        found = {TEXT: self.text.encode(), NUMBERS: self.numbers.encode()}
        for figure in self.figures:
            found[f"{FIGURES}/{figure.name}.svg"] = figure.svg.encode()
            found[f"{FIGURES}/{figure.name}.png"] = figure.png
        # If the page is new, everything that belongs to it is there.
        found[PAGE] = self.page.encode()
        return found

    def save(self, folder: Path) -> None:
        """Write the files into a folder, which is made if it is missing.

        Each file is replaced as a whole, so that nobody ever reads half a page.

        Raises:
            StoreError: if the folder cannot be written.
        """
        files = self.files()
        try:
            make_folder(folder)
            kept = {folder / name for name in files}
            for path in (folder / FIGURES).iterdir():
                if path not in kept and path.suffix in (".svg", ".png"):
                    path.unlink()
            for name, content in files.items():
                _replace(folder / name, content)
        except OSError as error:
            raise _unwritable(folder, error) from None


def make_folder(folder: Path) -> None:
    """Make the folder of a report, to know before the work that it can be written.

    Raises:
        StoreError: if it cannot.
    """
    try:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the folder of a report must be writable, but {folder} is not: "
        f"{error.strerror or error}; name another with --out"
    )


def write_report(
    names: Sequence[str], store: Store, options: ReportOptions = DEFAULT
) -> WrittenReport:
    """Make a report, with its figures, in memory.

    Args:
        names: the names of the sweeps.
        store: where trials are kept.
        options: the choices of the report.

    Raises:
        NotFoundError: if the store has no such sweep, or none of their trials has a result.
        InvalidValueError: if no data set has the baseline, or a choice is not possible.
        StoreError: if the store cannot be read.
        SpecError: if another version of qhn has written the file of a sweep.
    """
    report = make_report(names, store, options)
    figures = draw_all(report, store)
    listed = [(f"{FIGURES}/{figure.name}.png", figure.caption) for figure in figures]
    return WrittenReport(
        report=report,
        page=report_html(report, figures),
        text=report_markdown(report, listed),
        numbers=report_json(report),
        figures=figures,
    )


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
