"""Turns the text of a sweep file into a checked spec, or into the list of all its mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from qhn.sweeps.spec.axes import each_once, spread
from qhn.sweeps.spec.check import check
from qhn.sweeps.spec.document import Document, read_document
from qhn.sweeps.spec.mistakes import Finding, InvalidSpecError, Mistake, place_text, value_text
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.translate import mistakes_of, place_in_file


def parse_spec(text: str | bytes, source: str = "the sweep file") -> SweepSpec:
    """Check the text of a sweep file. The result depends on the text alone, not on the machine.

    Args:
        text: the content of the file in YAML; bytes are read as UTF-8.
        source: the name of the file in messages.

    Raises:
        InvalidSpecError: a `SpecError` with all mistakes, ordered by line.

    Example:
        >>> spec = parse_spec("{name: tiny, datasets: moons, objectives: mle, seeds: 2}")
        >>> spec.seed_values
        (0, 1)
    """
    document = read_document(text, source)
    if document.content is None:
        # In an empty file all required keys are missing, and these messages help more than one
        # which says that the file is empty.
        document.content = {}
    if not isinstance(document.content, dict):
        message = f"must be a mapping (name: ..., datasets: ...), but got {_kind(document)}"
        raise InvalidSpecError(source, [Mistake("", document.line(()), message)])
    document = spread(document)
    # The content is copied because it is changed below, while the lines of mistakes are looked up
    # in what the file really says.
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
    # This is done even if pydantic has found mistakes, so that people see all of them at once.
    mistakes += _located(check(content), document)
    if mistakes or spec is None:
        mistakes = each_once(mistakes)
        mistakes.sort(key=lambda mistake: mistake.line or 0)
        raise InvalidSpecError(source, mistakes)
    return spec


def plain_content(text: str | bytes, source: str) -> dict[str, Any]:
    """The content of a file that `parse_spec` accepts, exactly as the file has it."""
    content: dict[str, Any] = read_document(text, source).content
    return content


def mistakes_in(text: str | bytes, source: str, findings: Iterable[Finding]) -> list[Mistake]:
    """Findings about a valid file as mistakes with their lines, ordered by line.

    Args:
        text: the content of a file that `parse_spec` accepts.
        source: the name of the file in messages.
        findings: places, which use the names of `SweepSpec`, and messages.
    """
    mistakes = _located(findings, read_document(text, source))
    return sorted(mistakes, key=lambda mistake: mistake.line or 0)


def _located(findings: Iterable[Finding], document: Document) -> list[Mistake]:
    places = ((place_in_file(where, document.content), message) for where, message in findings)
    return [Mistake(place_text(place), document.line(place), text) for place, text in places]


def _kind(document: Document) -> str:
    content: Any = document.content
    return value_text(content)
