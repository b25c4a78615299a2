"""From the text of a sweep file to a checked spec, or to the list of all its mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qhn.core.errors import SpecError
from qhn.sweeps.spec.check import check
from qhn.sweeps.spec.document import MAX_BYTES, Document, read_document
from qhn.sweeps.spec.mistakes import InvalidSpecError, Mistake, place_text, value_text
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.translate import mistakes_of, path_in_file


def read_spec(path: str | Path) -> bytes:
    """What is in a sweep file, not more than `parse_spec` needs to refuse one that is too large.

    Raises:
        SpecError: if the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpecError(f"cannot read the sweep file {path}: {reason}") from None


def load_spec(path: str | Path, *, memory_bytes: int | None = None) -> SweepSpec:
    """Read and check a sweep file; see `parse_spec`.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes.
        SpecError: if the file cannot be read.
    """
    return parse_spec(read_spec(path), str(path), memory_bytes=memory_bytes)


def parse_spec(
    text: str | bytes, source: str = "the sweep file", *, memory_bytes: int | None = None
) -> SweepSpec:
    """Check the text of a sweep file.

    Args:
        text: YAML; bytes are read as UTF-8.
        source: what messages call it.
        memory_bytes: what trials may use, by default most of this machine's memory.

    Raises:
        InvalidSpecError: a `SpecError` with every mistake, ordered by line.

    Example:
        >>> spec = parse_spec("{name: tiny, datasets: moons, objectives: mle, seeds: 2}")
        >>> spec.seed_values
        (0, 1)
    """
    document = read_document(text, source)
    if document.content is None:
        document.content = {}
    if not isinstance(document.content, dict):
        message = f"must be a mapping (name: ..., datasets: ...), but got {_kind(document)}"
        raise InvalidSpecError(source, [Mistake("", document.line(()), message)])
    content = dict(document.content)
    mistakes = list(document.mistakes)
    if "device" in content:
        device = content.pop("device")
        if "devices" in content:
            message = "give device or devices, not both"
            mistakes.append(Mistake("device", document.line(("device",)), message))
        else:
            content["devices"] = device
    spec = None
    try:
        spec = SweepSpec.model_validate(content)
    except ValidationError as error:
        mistakes += mistakes_of(error, SweepSpec, document)
    for where, message in check(content, memory_bytes):
        path = path_in_file(where, document.content)
        mistakes.append(Mistake(place_text(path), document.line(path), message))
    if mistakes or spec is None:
        mistakes.sort(key=lambda mistake: mistake.line or 0)
        raise InvalidSpecError(source, mistakes)
    return spec


def _kind(document: Document) -> str:
    content: Any = document.content
    return value_text(content)
