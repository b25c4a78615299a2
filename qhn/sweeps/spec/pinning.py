"""Fills in the digests of data files, so that a sweep file says all about the trials of its sweep.

The text of a sweep file alone must decide its trials: it is kept in the store, and read again there
on other machines. So when the file is read, the data files that it names are read as well, and the
digest of their points is written into the text beside their path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from qhn.core.data.datasets import DEFAULT_CLASSES, POINT_SETS
from qhn.core.data.point_sets import remember
from qhn.core.errors import QhnError
from qhn.sweeps.config.sections import NO_DIGEST
from qhn.sweeps.spec.document import read_document
from qhn.sweeps.spec.mistakes import InvalidSpecError, Mistake, Place, place_text
from qhn.sweeps.spec.parse import parse_spec


@dataclass(frozen=True)
class _Entry:
    """An entry of ``datasets`` whose points come from outside, and the place of its name.

    Attributes:
        place: its place in the file.
        content: what the file says of it.
        start: where the text of its name begins, in characters.
        end: where that text ends.
        opening: what must stand before the name if the entry is the name alone.
        closing: what must stand after the digest then.
        separator: what separates two keys there.
    """

    place: Place
    content: Mapping[str, Any]
    start: int
    end: int
    opening: str
    closing: str
    separator: str


def pinned(content: bytes, source: str, folder: Path) -> bytes:
    """The text of a sweep file with the digest of every data file that it names.

    A file that names none, or that cannot be read as a sweep file, is returned as it is. The points
    are kept in the memory of this process (`remember`).

    Args:
        content: the content of the sweep file.
        source: the name of the file in messages.
        folder: the folder from which relative paths go out.

    Raises:
        InvalidSpecError: if a data file is missing, is no such file, or is no longer the one of
            which the sweep file has the digest. The other mistakes of the file are told as well.
    """
    if not any(name.encode() in content for name in POINT_SETS):
        return content
    try:
        document = read_document(content, source)
        text = content.decode("utf-8-sig")
        entries = list(_entries(document.content, text, folder))
    except (InvalidSpecError, UnicodeDecodeError, yaml.YAMLError):
        # `parse_spec` says best what is wrong.
        return content
    mistakes: list[Mistake] = []
    # From the end, so that what is put in moves nothing that comes later.
    for entry in reversed(entries):
        try:
            digest = remember(_read(entry.content, folder))
            given = entry.content.get("digest")
            if given not in (None, digest):
                raise _Changed(
                    f"the file has changed since: its points are {digest} now, but the digest is "
                    f"{given}; leave the digest out to use the file as it is, or leave the path "
                    "out to use the points that the store has"
                )
        except (QhnError, _Changed) as error:
            key = "path" if "path" in entry.content else "name"
            place = (*entry.place, key) if isinstance(entry.content, dict) else entry.place
            mistakes.append(Mistake(place_text(place), document.line(place), str(error)))
            continue
        if given is None:
            name = text[entry.start : entry.end]
            put = f"{entry.opening}{name}{entry.separator}digest: {digest}{entry.closing}"
            text = text[: entry.start] + put + text[entry.end :]
    if mistakes:
        _raise(text, source, mistakes)
    return text.encode()


class _Changed(Exception):
    """A data file is no longer what it was. This exception does not leave this module."""


def _read(entry: Mapping[str, Any], folder: Path) -> Any:
    from qhn.core.data.images import read_images
    from qhn.core.data.point_files import read_points_file

    path = None if entry.get("path") is None else _path(entry["path"], folder)
    if entry["name"] == "file":
        assert path is not None  # see `_entries`
        return read_points_file(path, entry.get("label"))
    given = entry.get("classes") or DEFAULT_CLASSES
    first, second = given
    return read_images(str(entry["name"]), (first, second), path)


def _path(path: str, folder: Path) -> Path:
    return folder / Path(path).expanduser()


def _entries(content: Any, text: str, folder: Path) -> Iterator[_Entry]:
    """The entries whose digest can be filled in. What is wrong otherwise `parse_spec` says."""
    if not isinstance(content, dict) or "datasets" not in content:
        return
    listed = content["datasets"]
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node = _value(root, "datasets")
    several = isinstance(listed, list)
    items = zip(listed, node.value, strict=True) if several else [(listed, node)]
    for number, (item, at) in enumerate(items):
        place: Place = ("datasets", number) if several else ("datasets",)
        if item in POINT_SETS and item != "file":
            word = {"name": item}
            yield _Entry(place, word, at.start_mark.index, at.end_mark.index, "{name: ", "}", ", ")
        elif isinstance(item, dict) and _can_be_read(item, folder):
            name = _value(at, "name")
            key = next(key for key, _ in at.value if key.value == "name")
            line = "\n" + " " * key.start_mark.column
            yield _Entry(
                place,
                item,
                name.start_mark.index,
                name.end_mark.index,
                "",
                "",
                ", " if at.flow_style else line,
            )


def _can_be_read(item: Mapping[str, Any], folder: Path) -> bool:
    name, path = item.get("name"), item.get("path")
    if name not in POINT_SETS or not isinstance(path, str | None):
        return False
    if not isinstance(item.get("label"), str | None):
        return False
    classes = item.get("classes", [0, 1])
    # Points whose digest is known are in the store. They are not fetched again, and on another
    # machine, to which a sweep was submitted, there is no such file.
    if "digest" in item and (path is None or not _path(path, folder).exists()):
        return False
    if name == "file":
        return path is not None
    return isinstance(classes, list) and len(classes) == 2


def _value(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


def _raise(text: str, source: str, mistakes: list[Mistake]) -> None:
    """Raise all mistakes of a file: these, and those that the parser finds."""
    found = list(mistakes)
    told = {mistake.path.rpartition(".")[0] for mistake in mistakes}
    try:
        parse_spec(text, source)
    except InvalidSpecError as error:
        for other in error.mistakes:
            owner = other.path.rpartition(".")[0]
            # What is filled in when the data file is read cannot be missing for another reason.
            if not (NO_DIGEST in other.message and (owner in told or other.path in told)):
                found.append(other)
    raise InvalidSpecError(source, sorted(found, key=lambda mistake: mistake.line or 0)) from None
