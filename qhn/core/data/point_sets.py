"""Points that come from outside of this package: their identity, their bytes, and where they are.

A set of points is known by a digest of its numbers, so that it is the same data set whatever its
file is called and wherever it lies. Processes find the points by this digest: whoever reads a file
remembers its points, and whoever opens a store of sweeps names it as a further place to look
(`add_place`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError, NotFoundError, QhnError

_DIGEST = re.compile(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,5})-[0-9a-f]{16}")
#: The largest number of numbers in a set of points: 800 MB.
MOST_NUMBERS = 10**8


@dataclass(frozen=True, eq=False)
class PointSet:
    """Labelled points.

    Attributes:
        x: the points, shape ``(n, d)``.
        y: their labels, 0.0 or 1.0, shape ``(n,)``.
    """

    x: FloatArray
    y: FloatArray

    @property
    def digest(self) -> str:
        """The sizes and 16 hexadecimal digits of the SHA-256 of all numbers, as ``150x4-…``."""
        n, d = self.x.shape
        hashed = hashlib.sha256(f"{n}x{d}".encode())
        for array in (self.x, self.y):
            hashed.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return f"{n}x{d}-{hashed.hexdigest()[:16]}"


def check_points(x: FloatArray, y: FloatArray) -> PointSet:
    """Labelled points after all checks.

    Raises:
        InvalidValueError: if shapes do not fit, a number is not finite, or labels are not 0 and 1.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise InvalidValueError(
            f"points must have the shape (n, d) and labels (n,), but got {x.shape} and {y.shape}"
        )
    if x.size > MOST_NUMBERS:
        raise InvalidValueError(
            f"points must have at most {MOST_NUMBERS:,} numbers, but got {x.size:,}; leave some out"
        )
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InvalidValueError(
            f"points must be finite, but point {row} (counted from 0) is {x[row].tolist()}; leave "
            "it out"
        )
    if not np.isin(y, (0.0, 1.0)).all():
        raise InvalidValueError("labels must be 0 or 1, but there are others")
    # −0.0 equals 0.0 and has other bytes, so that equal points would have different digests.
    return PointSet(x + 0.0, y + 0.0)


def sizes_of(digest: str) -> tuple[int, int]:
    """The number of points and of their coordinates, as a digest says them.

    Raises:
        InvalidValueError: if the text is no digest.
    """
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise InvalidValueError(
            f"the digest of points must be as 150x4-0123456789abcdef, but got {digest!r}; leave it "
            "out, and it is filled in"
        )
    return int(found[1]), int(found[2])


def encode(points: PointSet) -> bytes:
    """The points as the bytes of an NPZ file, without pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=points.x, y=points.y)
    return buffer.getvalue()


def decode(content: bytes, digest: str) -> PointSet:
    """The points in the bytes that `encode` has written.

    Raises:
        InvalidValueError: if they are not those points.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = check_points(file["x"], file["y"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, InvalidValueError) as error:
        raise InvalidValueError(f"the points {digest} cannot be read: {error}") from None
    if found.digest != digest:
        raise InvalidValueError(
            f"the points {digest} were asked for, but what is kept under this digest is "
            f"{found.digest}"
        )
    return found


#: A function that returns the bytes of points by their digest; None if it does not have them.
Place = Callable[[str], bytes | None]
_read: dict[str, PointSet] = {}
_places: dict[str, Place] = {}


def remember(points: PointSet) -> str:
    """Keep points in the memory of this process; their digest."""
    digest = points.digest
    _read[digest] = points
    return digest


def add_place(name: str, place: Place) -> None:
    """Name a place where points are looked for that this process has not read. It may be repeated.

    Args:
        name: what the place is called in messages, such as the address of a store.
        place: returns the bytes of points, as `encode` writes them.
    """
    _places.pop(name, None)  # so that it is the last one, though it was named before
    _places[name] = place


def points_of(digest: str) -> PointSet:
    """The points with a digest.

    Raises:
        NotFoundError: if neither this process nor any place has them.
        InvalidValueError: if what a place has cannot be read.
        QhnError: as a place does, if it cannot be asked and no other place has them.
    """
    if digest not in _read:
        _read[digest] = _fetched(digest)
    return _read[digest]


def _fetched(digest: str) -> PointSet:
    failed: QhnError | None = None
    # What was opened last is what a process works with now.
    for place in reversed(_places.values()):
        try:
            content = place(digest)
        except QhnError as error:
            # A store that cannot be reached must not hide another that has the points.
            failed = failed or error
            continue
        if content is not None:
            return decode(content, digest)
    if failed is not None:
        raise failed
    where = ", ".join(_places) or "no store"
    raise NotFoundError(
        f"the points {digest} of a data set must be in the store, but {where} does not "
        "have them; run the sweep once from a file that names where they are (path: ...)"
    )
