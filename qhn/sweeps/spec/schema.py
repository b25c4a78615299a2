"""The JSON schema of sweep files, by which an editor completes and checks them while one types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from qhn.sweeps.spec.models import SweepSpec

_Schema: TypeAlias = dict[str, Any]

# Where pydantic checks one of these rules after a validator of ours, it writes the rule down under
# its own name, which means nothing to a reader of JSON schemas.
_KEYWORDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
# Titles repeat the names of Python classes; discriminators are a matter of OpenAPI.
_DROPPED = ("title", "discriminator")
_REFERENCE = "#/$defs/"


def json_schema() -> dict[str, Any]:
    """What a sweep file may hold, as a JSON schema (draft 2020-12).

    It knows every key, word, range and short form. Rules that tie two entries together, such as
    ``low < high``, it does not know: they are checked when the file is read.
    """
    schema = SweepSpec.model_json_schema(by_alias=True)
    definitions: dict[str, _Schema] = schema["$defs"]
    for reference in set(_alternatives(schema)):
        _require_tag(definitions[reference.removeprefix(_REFERENCE)])
    tidy = _tidy(schema, _short_names(definitions))
    # The parser takes `device` in place of `devices`, but not both.
    tidy["properties"]["device"] = tidy["properties"]["devices"]
    tidy["not"] = {"required": ["device", "devices"]}
    tidy["description"] = "A sweep of quantum hypernetworks, to be run with: qhn sweep run FILE"
    return {"$schema": GenerateJsonSchema.schema_dialect, **tidy}


def _alternatives(schema: Any) -> Iterator[str]:
    """References to all models that stand beside others in one place."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "oneOf":
                yield from (member["$ref"] for member in value if "$ref" in member)
            yield from _alternatives(value)
    elif isinstance(schema, list):
        for member in schema:
            yield from _alternatives(member)


def _require_tag(model: _Schema) -> None:
    """What tells a model apart has a default, but a file that leaves it out is not understood."""
    tags = [name for name, found in model["properties"].items() if "const" in found]
    model["required"] = list(dict.fromkeys([*model.get("required", ()), *tags]))


def _short_names(definitions: dict[str, _Schema]) -> dict[str, str]:
    """A reference for each definition: those of generic models are named by whole type trees."""
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
