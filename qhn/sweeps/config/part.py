"""The base class of all parts of a configuration, and the types of their numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: A finite number. -0.0 equals 0.0 but is written differently, which would give the same trial two
#: ids. Adding 0.0 turns -0.0 into 0.0.
Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=2**31)]
#: A seed that both NumPy's seed sequences and the JSON readers of other languages can read.
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Part(BaseModel):
    """A part of a configuration: immutable, without unknown keys, type conversions or NaN."""

    model_config = ConfigDict(
        # Without strictness the texts "3" and "true" would be read as numbers.
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        # Validators fill in what a file leaves out, so they must also run for defaults.
        validate_default=True,
    )


AnyPart = TypeVar("AnyPart", bound=Part)


def broken_rule(message: str) -> PydanticCustomError:
    """The error for a validator to raise, whose message is shown to people as it is."""
    # The message is a value and not the template itself, because pydantic replaces braces in a
    # template.
    return PydanticCustomError("rule", "{message}", {"message": message})


def part_of(
    described: type[DataclassInstance],
    base: type[AnyPart],
    tag: tuple[str, str],
    types: Mapping[str, Any],
    validators: Mapping[str, Any],
) -> type[AnyPart]:
    """Make the model of a dataclass of core or of devices, with its fields, defaults and docstring.

    A model that is made from the dataclass cannot differ from it, as one written by hand could.

    Args:
        described: the dataclass.
        base: the base class of all models of this kind.
        tag: name and value of the field that tells these models apart, for example ``("name",
            "exact")``.
        types: the type of each field, by its name.
        validators: further rules by name, in the form that `pydantic.create_model` takes.
    """
    fields: dict[str, Any] = {tag[0]: (Literal[tag[1]], tag[1])}
    for field in dataclasses.fields(described):
        default = ... if field.default is dataclasses.MISSING else field.default
        fields[field.name] = (types[field.name], default)
    model: type[AnyPart] = create_model(
        f"{described.__name__}Config",
        __base__=base,
        __module__=base.__module__,
        __doc__=described.__doc__,
        __validators__=dict(validators),
        **fields,
    )
    return model
