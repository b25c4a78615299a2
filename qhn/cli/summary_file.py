"""The summary file of a run, which the option ``--summary`` names."""

from __future__ import annotations

import os
from pathlib import Path

from qhn.core.errors import StoreError


class SummaryFile:
    """The file for the summary of a run. It may also be a device or a link.

    Args:
        path: the path of the file.

    Raises:
        StoreError: from every method, if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Check that the file can be written, without changing anything.

        This is done before the sweep begins, because at its end it would be too late.
        """
        try:
            if self._path.exists():
                place, usable = self._path, not self._path.is_dir()
            else:
                place = next(p for p in self._path.absolute().parents if p.exists())
                usable = place.is_dir()
        except OSError as error:  # for example, a name is too long or a folder is not readable
            raise self._error(error.strerror) from None
        if not (usable and os.access(place, os.W_OK)):
            raise self._error("no file can be made there")

    def clear(self) -> None:
        """Remove the summary of an earlier run.

        If this run is interrupted and writes no summary, the old one must not be taken for its own.
        """
        try:
            # Of a link, the file that it leads to is removed, and the link stays.
            if self._path.is_file():
                self._path.resolve().unlink()
        except OSError as error:
            raise self._error(error.strerror) from None

    def write(self, text: str) -> None:
        """Write the summary. The folder of the file is made if it is missing."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise self._error(error.strerror) from None

    def _error(self, why: str | None) -> StoreError:
        return StoreError(
            f"the summary file must be writable, but {self._path} is not: {why}; "
            "name another with --summary"
        )
