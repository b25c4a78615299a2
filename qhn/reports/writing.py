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
            (folder / FIGURES).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".report.") as temporary:
                # All of them are written before the first is put in its place. So a full disk does
                # not leave the page of one report beside the numbers of another.
                (Path(temporary) / FIGURES).mkdir()
                for name, content in files.items():
                    (Path(temporary) / name).write_bytes(content)
                for name in files:
                    (Path(temporary) / name).replace(folder / name)
            kept = {folder / name for name in files}
            for path in (folder / FIGURES).iterdir():
                if path not in kept and path.suffix in (".svg", ".png"):
                    path.unlink()
        except OSError as error:
            raise _unwritable(folder, error) from None


def check_folder(folder: Path) -> None:
    """Check that the folder of a report can be written or made, before the work. Nothing is made.

    Raises:
        StoreError: if it cannot.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
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
    gallery = draw_all(report, store)
    figures = gallery.figures
    listed = [(f"{FIGURES}/{figure.name}.png", figure.caption) for figure in figures]
    return WrittenReport(
        report=report,
        page=report_html(report, gallery),
        text=report_markdown(report, listed),
        numbers=report_json(report),
        figures=figures,
    )
