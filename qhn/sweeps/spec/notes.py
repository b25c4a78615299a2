"""Notes on settings of a sweep file that have no effect. They are not mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from qhn.sweeps.spec.mistakes import Finding, Mistake
from qhn.sweeps.spec.models import UNUSED, ObjectiveSpec
from qhn.sweeps.spec.parse import mistakes_in, parse_spec, plain_content
from qhn.sweeps.spec.values import as_items

#: The keys that a file may give to an objective although it does not use them, by objective.
UNUSED_KEYS: dict[str, tuple[str, ...]] = {
    get_args(model.model_fields["name"].annotation)[0]: tuple(
        field.alias or name
        for name, field in model.model_fields.items()
        if UNUSED in field.metadata
    )
    for model in get_args(ObjectiveSpec)
}
_USES = {"mle": "the loss alone", "elbo": "λ alone"}


def notes(text: str | bytes, source: str = "the sweep file") -> list[Mistake]:
    """The settings of a sweep file that have no effect, each with its line and the reason.

    Args:
        text: the content of the file; bytes are read as UTF-8.
        source: the name of the file in messages.

    Raises:
        InvalidSpecError: if the file has mistakes.
    """
    parse_spec(text, source)
    return mistakes_in(text, source, _unused(plain_content(text, source)))


def why_unused(objective: str, key: str) -> str | None:
    """Why a setting of an objective has no effect; None if it has one."""
    if key not in UNUSED_KEYS[objective]:
        return None
    return f"{objective} uses {_USES[objective]}, so {key} changes nothing and can be left out"


def _unused(content: Mapping[str, Any]) -> Iterator[Finding]:
    for place, entry in enumerate(as_items(content["objectives"])):
        if isinstance(entry, dict):
            for key in entry:
                if why := why_unused(entry["name"], key):
                    yield ("objectives", place, key), why
