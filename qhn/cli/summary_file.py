"""The file that ``--summary`` names."""

from __future__ import annotations

import os
from pathlib import Path

from qhn.core.errors import StoreError


class SummaryFile:
    """A run's account as a file, which may be a device or a link.

    Raises:
        StoreError: from every method, if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Say now, not after hours of training, that it cannot be written; nothing is touched."""
        try:
            if self._path.exists():
                place, usable = self._path, not self._path.is_dir()
            else:
                place = next(p for p in self._path.absolute().parents if p.exists())
                usable = place.is_dir()
        except OSError as error:  # a name too long, a folder that may not be looked into
            raise self._error(error.strerror) from None
        if not (usable and os.access(place, os.W_OK)):
            raise self._error("no file can be made there")

    def clear(self) -> None:
        """Remove that of an earlier run, which would speak for this one if it was interrupted."""
        try:
            if self._path.is_file():
                self._path.resolve().unlink()
        except OSError as error:
            raise self._error(error.strerror) from None

    def write(self, text: str) -> None:
        """Write the account."""
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
