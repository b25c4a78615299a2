"""From the text of a sweep file to a checked spec, or to the list of all its mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qhn.core.errors import SpecError
from qhn.sweeps.spec.check import check
from qhn.sweeps.spec.document import MAX_BYTES, Document, read_document
from qhn.sweeps.spec.mistakes import Finding, InvalidSpecError, Mistake, place_text, value_text
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.translate import mistakes_of, place_in_file


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


def load_spec(path: str | Path) -> SweepSpec:
    """Read and check a sweep file; see `parse_spec`.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes.
        SpecError: if the file cannot be read.
    """
    return parse_spec(read_spec(path), str(path))


def parse_spec(text: str | bytes, source: str = "the sweep file") -> SweepSpec:
    """Check the text of a sweep file: a pure function, which gives the same on every machine.

    Args:
        text: YAML; bytes are read as UTF-8.
        source: what messages call it.

    Raises:
        InvalidSpecError: a `SpecError` with every mistake, ordered by line.

    Example:
        >>> spec = parse_spec("{name: tiny, datasets: moons, objectives: mle, seeds: 2}")
        >>> spec.seed_values
        (0, 1)
    """
    document = read_document(text, source)
    if document.content is None:
        # An empty file: what it lacks says more than that it is empty.
        document.content = {}
    if not isinstance(document.content, dict):
        message = f"must be a mapping (name: ..., datasets: ...), but got {_kind(document)}"
        raise InvalidSpecError(source, [Mistake("", document.line(()), message)])
    # A copy, since places are looked up in what the file says, not in what it stands for.
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
    # Also where pydantic has found mistakes: a person should see all of them at once.
    mistakes += _located(check(content), document)
    if mistakes or spec is None:
        mistakes.sort(key=lambda mistake: mistake.line or 0)
        raise InvalidSpecError(source, mistakes)
    return spec


def plain_content(text: str | bytes, source: str) -> dict[str, Any]:
    """What a file that `parse_spec` accepts says, before anything is filled in or dropped."""
    content: dict[str, Any] = read_document(text, source).content
    return content


def mistakes_in(text: str | bytes, source: str, findings: Iterable[Finding]) -> list[Mistake]:
    """What is wrong with a file that is right by itself, each with its line, ordered by line.

    Args:
        text: that `parse_spec` accepts.
        source: what messages call it.
        findings: places by the names of `SweepSpec`, and messages.
    """
    mistakes = _located(findings, read_document(text, source))
    return sorted(mistakes, key=lambda mistake: mistake.line or 0)


def _located(findings: Iterable[Finding], document: Document) -> list[Mistake]:
    places = ((place_in_file(where, document.content), message) for where, message in findings)
    return [Mistake(place_text(place), document.line(place), text) for place, text in places]


def _kind(document: Document) -> str:
    content: Any = document.content
    return value_text(content)
