"""Reads sweep files from the disk, with the data files that they name."""

from __future__ import annotations

from pathlib import Path

from qhn.core.errors import SpecError
from qhn.sweeps.spec.document import MAX_BYTES
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.parse import parse_spec
from qhn.sweeps.spec.pinning import pinned


def read_spec(path: str | Path) -> bytes:
    """Read a sweep file, and fill in the digests of the data files that it names.

    Of a file that is too large, only as much is read as shows that.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes, if a data file cannot be used.
        SpecError: if the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            # `parse_spec` refuses a file with more than MAX_BYTES, so one more byte is enough.
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpecError(f"cannot read the sweep file {path}: {reason}") from None
    return pinned(content, str(path), Path(path).parent)


def load_spec(path: str | Path) -> SweepSpec:
    """Read and check a sweep file; see `parse_spec`.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes.
        SpecError: if the file cannot be read.
    """
    return parse_spec(read_spec(path), str(path))
