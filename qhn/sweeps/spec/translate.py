"""Turns pydantic's errors into mistakes that name a place in the file and say what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from qhn.sweeps.config.devices import DeviceConfig, device_models
from qhn.sweeps.config.part import Part
from qhn.sweeps.spec.devices import DeviceSpec, device_spec_models
from qhn.sweeps.spec.document import Document
from qhn.sweeps.spec.mistakes import Mistake, Place, place_text, value_text
from qhn.sweeps.spec.values import DISTRIBUTION_KINDS, SCHEDULE_KINDS

_MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "finite_number": "finite",
    "string_unicode": "text without halves of surrogate pairs",
    "string_type": "text (in quotes, if it looks like a number)",
    "bool_type": "true or false",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_type": "a mapping",
    "dict_type": "a mapping (name: value, ...)",
    "string_too_long": "text of at most {max_length} characters",
}
_TAGS = {"schedule": SCHEDULE_KINDS, "distribution": DISTRIBUTION_KINDS}


def mistakes_of(error: ValidationError, model: type[Part], document: Document) -> list[Mistake]:
    """The mistakes that pydantic found in the content of a document, one for each place."""
    mistakes: dict[Place, Mistake] = {}
    for details in error.errors(include_url=False):
        if details["type"] == "extra_forbidden" and _is_of_unknown_device(details, model, document):
            continue
        where, message = _explain(details, model, document.content)
        missing = details["type"] in ("missing", "union_tag_not_found")
        path = place_in_file(where, document.content, missing=missing)
        # Only the first one is kept, because pydantic may report several errors for one value.
        mistakes.setdefault(path, Mistake(place_text(path), document.line(path), message))
    return list(mistakes.values())


def _is_of_unknown_device(details: ErrorDetails, model: type[Part], document: Document) -> bool:
    """Whether a key belongs to a device whose name is missing or wrong, which is told anyway."""
    place = details["loc"][:-1]
    if not _are_devices(_models_at(model, place)[0]):
        return False
    device = _value_at(document.content, place_in_file(place, document.content))
    name = device.get("name") if isinstance(device, dict) else None
    return not isinstance(name, str) or name not in device_models()


def _are_devices(models: set[type[Part]]) -> bool:
    return bool(models) and all(issubclass(model, DeviceSpec | DeviceConfig) for model in models)


def nearest(word: object, known: Iterable[str]) -> str:
    """The text ``; did you mean x?`` if a known word is similar, else an empty text."""
    # The word is cut, because the time of the search grows with the square of its length.
    close = difflib.get_close_matches(str(word)[:100], list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _explain(details: ErrorDetails, model: type[Part], content: Any) -> tuple[Place, str]:
    """The place of an error of pydantic's, and a message."""
    kind, where, value = details["type"], details["loc"], details["input"]
    context = details.get("ctx", {})
    if kind == "rule":
        return where, details["msg"]
    if kind == "missing":
        field = _field(model, where)
        return where, f"missing: {(field and field.description) or 'a value is needed'}"
    if kind == "extra_forbidden":
        return where, _unknown_key(model, where, content)
    if kind == "too_short":
        least, found = context["min_length"], context["actual_length"]
        if least == 1:
            return where, "must not be empty"
        return where, f"must have at least {least} items, but got {found}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(details, model)
    if kind == "kind":
        for key, words in _TAGS.items():
            if isinstance(value, dict) and key in value:
                if f"{key}: " in details["msg"] and value[key] not in words:
                    return (*where, key), _one_of(value[key], words)
                # The word is known but not allowed here. For example, the values of a choice
                # cannot be distributions.
                return where, f"{details['msg']}, but got {key}: {value_text(value[key])}"
        return where, f"{details['msg']}, but got {value_text(value)}"
    if kind == "literal_error":
        known = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        return where, _one_of(value, known)
    if kind == "float_type" and isinstance(value, int) and not isinstance(value, bool):
        return where, "must be a smaller number"
    if kind in _MUST_BE:
        bounds = {key: _number(bound) for key, bound in context.items()}
        return where, f"must be {_MUST_BE[kind].format(**bounds)}, but got {value_text(value)}"
    return where, f"{details['msg'].lower()}, but got {value_text(value)}"


def _number(value: Any) -> Any:
    """A bound as people write it: ``16,384``, ``0.5``."""
    if not isinstance(value, int | float):
        return value
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _one_of(value: Any, known: Iterable[str]) -> str:
    words = list(known)
    allowed = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    hint = nearest(value, words) if isinstance(value, str) else ""
    return f"must be {allowed}, but got {value_text(value)}{hint}"


def _wrong_tag(details: ErrorDetails, model: type[Part]) -> tuple[Place, str]:
    """The place and message for a mapping whose key for its kind (``name``) is missing or wrong."""
    context, value = details.get("ctx", {}), details["input"]
    # pydantic gives these names only in quotes, as parts of a sentence.
    key = context["discriminator"].strip("'")
    where = (*details["loc"], key)
    if isinstance(value, dict) and key in value:
        known = [word.strip("' ") for word in context["expected_tags"].split(",")]
        return where, _one_of(value[key], known)
    candidates, _ = _models_at(model, details["loc"])
    known = [get_args(candidate.model_fields[key].annotation)[0] for candidate in candidates]
    return where, f"missing: one of {', '.join(sorted(known))}"


def _unknown_key(model: type[Part], where: Place, content: Any) -> str:
    key, owner = str(where[-1]), where[-2] if where[1:] else ""
    candidates, unfiltered = _models_at(model, where[:-1])
    if _are_devices(candidates):
        # pydantic's place does not say which device it is, but the file does.
        owner = _value_at(content, place_in_file(where[:-1], content))["name"]
        models: Mapping[str, type[Part]] = device_models()
        if DeviceConfig not in candidates:
            models = device_spec_models()
        candidates, unfiltered = {models[str(owner)]}, set(models.values())
    known = sorted({_key(name, field) for m in candidates for name, field in _fields(m)})
    elsewhere = {_key(name, field) for m in unfiltered for name, field in _fields(m)}
    if key in elsewhere:
        return f"{owner} takes no {key}, leave it out"
    return f"unknown key{nearest(key, known)} (known: {', '.join(known)})"


def _value_at(content: Any, place: Place) -> Any:
    for element in place:
        content = content[element]
    return content


def _models_at(model: type[Part], where: Place) -> tuple[set[type[Part]], set[type[Part]]]:
    """The models that are possible at a place, and those that were before its kind was known.

    pydantic's places contain keys, indices of lists, and the tags by which it chose a model.
    """
    candidates: set[type[Part]] = {model}
    unfiltered = candidates
    for element in where:
        if isinstance(element, int):
            continue
        found = [f for m in candidates for name, f in _fields(m) if _key(name, f) == element]
        if found:
            candidates = {part for field in found for part in _parts_in(field.annotation)}
            unfiltered = candidates
        else:
            tagged = {m for m in candidates if element in _tags(m)}
            candidates = tagged or candidates
    return candidates, unfiltered


def _field(model: type[Part], where: Place) -> FieldInfo | None:
    candidates, _ = _models_at(model, where[:-1])
    fields = [f for m in candidates for name, f in _fields(m) if _key(name, f) == where[-1]]
    return fields[0] if fields else None


def _fields(model: type[Part]) -> Iterable[tuple[str, FieldInfo]]:
    return model.model_fields.items()


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _parts_in(annotation: Any) -> set[type[Part]]:
    """All models in an annotation, also inside unions, tuples and `Annotated`."""
    if annotation is DeviceSpec:
        # Only the registry knows the options of each device.
        return set(device_spec_models().values())
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return {annotation}
    return {part for argument in get_args(annotation) for part in _parts_in(argument)}


def _tags(model: type[Part]) -> set[Any]:
    literals = (f.annotation for _, f in _fields(model) if get_origin(f.annotation) is Literal)
    return {value for literal in literals for value in get_args(literal)}


def place_in_file(where: Place, content: Any, *, missing: bool = False) -> Place:
    """Turn a place of pydantic's into one that is in the file.

    pydantic's places also contain its tags, and indices for a single value that stands for a list.
    These are left out.

    Args:
        where: the place as pydantic gives it.
        content: the content of the file.
        missing: whether the last key is missing in the file, but is to be named.
    """
    if where[:1] == ("devices",) and isinstance(content, dict) and "devices" not in content:
        where = ("device", *where[1:])
    path: list[str | int] = []
    for position, element in enumerate(where):
        needed = missing and position == len(where) - 1
        if isinstance(element, int):
            if isinstance(content, list) and element < len(content):
                path.append(element)
                content = content[element]
        elif isinstance(content, dict) and element in content:
            path.append(element)
            content = content[element]
        elif needed:
            path.append(element)
    return tuple(path)
