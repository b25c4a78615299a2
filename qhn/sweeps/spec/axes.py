"""Data sets that are given with several sizes or several shares of flipped labels at once.

``{name: moons, train: [50, 100], label_noise: [0, 0.1]}`` stands for four data sets. They are made
of the content of the file before it is checked, so that every rule for a data set holds for each of
them, and its mistakes have the line of the value that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from qhn.sweeps.spec.document import Document
from qhn.sweeps.spec.mistakes import Mistake, Place

#: The settings of a data set that may be lists.
AXES = ("train", "label_noise")
#: A file with more data sets than this has probably a mistake.
MOST = 10_000


def spread(document: Document) -> Document:
    """The same document with an entry of its own for each combination of an entry's lists.

    A document without such lists is returned as it is.
    """
    content = document.content
    if not isinstance(content, dict) or "datasets" not in content:
        return document
    listed = content["datasets"]
    entries = listed if isinstance(listed, list) else [listed]
    axes = [_axes(entry) for entry in entries]
    if not any(axes):
        return document
    count = sum(prod(map(len, found.values())) for found in axes)
    if count > MOST:
        message = f"asks for {count:,} data sets, but at most {MOST:,} are allowed"
        where = document.line(("datasets",))
        return replace(document, mistakes=[*document.mistakes, Mistake("datasets", where, message)])
    made: list[Any] = []
    lines = {place: n for place, n in document.lines.items() if place[:1] != ("datasets",)}
    lines |= {place: n for place, n in document.lines.items() if place == ("datasets",)}
    for number, (entry, found) in enumerate(zip(entries, axes, strict=True)):
        former: Place = ("datasets", number) if isinstance(listed, list) else ("datasets",)
        for chosen in product(*(enumerate(values) for values in found.values())):
            values = {key: value for key, (_, value) in zip(found, chosen, strict=True)}
            places = {key: place for key, (place, _) in zip(found, chosen, strict=True)}
            lines |= _lines(document, former, ("datasets", len(made)), places)
            made.append({**entry, **values} if found else entry)
    return Document(document.source, {**content, "datasets": made}, lines, document.mistakes)


def each_once(mistakes: list[Mistake]) -> list[Mistake]:
    """Mistakes of data sets each once: an entry that became several has its own several times."""
    found: dict[tuple[object, ...], Mistake] = {}
    for number, one in enumerate(mistakes):
        inner = one.path.partition("].")[2]
        of_entry = one.path.startswith("datasets[") and one.line is not None
        found.setdefault((one.line, inner, one.message) if of_entry else (number,), one)
    return list(found.values())


def _axes(entry: Any) -> Mapping[str, list[Any]]:
    """The lists of an entry by their key. An empty list is left for the checks."""
    if not isinstance(entry, dict):
        return {}
    return {key: entry[key] for key in AXES if isinstance(entry.get(key), list) and entry[key]}


def _lines(
    document: Document, former: Place, place: Place, chosen: Mapping[str, int]
) -> dict[Place, int]:
    """The lines of one of the entries that an entry became."""
    return dict(_moved(document, former, place, chosen))


def _moved(
    document: Document, former: Place, place: Place, chosen: Mapping[str, int]
) -> Iterator[tuple[Place, int]]:
    depth = len(former)
    for where, line in document.lines.items():
        if where[:depth] != former:
            continue
        rest = where[depth:]
        yield (*place, *rest), line
    # A value of a list takes the place of the list, and so does its line.
    for key, number in chosen.items():
        if (found := document.lines.get((*former, key, number))) is not None:
            yield (*place, key), found
