"""The JSON schema of sweep files, with which an editor completes and checks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from qhn.sweeps.spec.axes import AXES
from qhn.sweeps.spec.models import SweepSpec

_Schema: TypeAlias = dict[str, Any]

# If pydantic checks one of these rules after a validator of ours, its schema has the rule under
# pydantic's own name, which programs that read JSON schemas do not know.
_KEYWORDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
# Titles only repeat the names of Python classes, and discriminators belong to OpenAPI.
_DROPPED = ("title", "discriminator")
_REFERENCE = "#/$defs/"


def json_schema() -> dict[str, Any]:
    """The JSON schema of sweep files (draft 2020-12).

    It contains all keys, words, ranges and short forms. Rules that concern two entries together,
    such as ``low < high``, are not in it. They are checked when a file is read.
    """
    schema = SweepSpec.model_json_schema(by_alias=True)
    definitions: dict[str, _Schema] = schema["$defs"]
    for reference in set(_alternatives(schema)):
        _require_tag(definitions[reference.removeprefix(_REFERENCE)])
    tidy = _tidy(schema, _short_names(definitions))
    # A data set may have lists of these, each value of which makes a data set of its own.
    properties = tidy["$defs"]["DatasetConfig"]["properties"]
    for key in AXES:
        one = properties[key]
        properties[key] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    # The parser takes `device` in place of `devices`, but not both.
    tidy["properties"]["device"] = tidy["properties"]["devices"]
    tidy["not"] = {"required": ["device", "devices"]}
    tidy["description"] = "A sweep of quantum hypernetworks, to be run with: qhn sweep run FILE"
    return {"$schema": GenerateJsonSchema.schema_dialect, **tidy}


def _alternatives(schema: Any) -> Iterator[str]:
    """The references to all models that are alternatives to others."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "oneOf":
                yield from (member["$ref"] for member in value if "$ref" in member)
            yield from _alternatives(value)
    elif isinstance(schema, list):
        for member in schema:
            yield from _alternatives(member)


def _require_tag(model: _Schema) -> None:
    """Make the key that distinguishes a model from its alternatives a required one.

    In Python it has a default, but in a file nobody could tell which model is meant without it.
    """
    tags = [name for name, found in model["properties"].items() if "const" in found]
    model["required"] = list(dict.fromkeys([*model.get("required", ()), *tags]))


def _short_names(definitions: dict[str, _Schema]) -> dict[str, str]:
    """A new reference for each definition, by its old one.

    pydantic names the definition of a generic model after all types in it, which is very long.
    """
    names = {}
    for place, name in enumerate(definitions):
        begin, generic, _ = name.partition("_")
        names[_REFERENCE + name] = f"{_REFERENCE}{begin}{place}" if generic else _REFERENCE + name
    return names


def _tidy(schema: _Schema, names: dict[str, str]) -> _Schema:
    tidy: _Schema = {}
    for key, value in schema.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "$ref":
            tidy[key] = names[value]
        elif key == "$defs":
            tidy[key] = {
                names[_REFERENCE + name].removeprefix(_REFERENCE): _tidy(found, names)
                for name, found in value.items()
            }
        elif key in ("properties", "patternProperties"):
            tidy[key] = {name: _tidy(found, names) for name, found in value.items()}
        elif key in ("anyOf", "oneOf"):
            tidy[key] = [_tidy(member, names) for member in value]
        elif key == "items":
            tidy[key] = _tidy(value, names)
        elif key == "minLength" and schema.get("type") == "array":
            tidy["minItems"] = value
        else:
            tidy[_KEYWORDS.get(key, key)] = value
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy
