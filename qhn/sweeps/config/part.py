"""What every piece of configuration has in common: its base class, and the kinds of its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: -0.0 equals 0.0 but is written differently, which would give a trial two ids; adding 0.0 leaves
#: one of the two.
Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=2**31)]
#: What NumPy's seed sequences and JSON readers of other languages both take.
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Part(BaseModel):
    """A piece of configuration: immutable, no unknown keys, no type coercion, no NaN."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
    )


AnyPart = TypeVar("AnyPart", bound=Part)


def broken_rule(message: str) -> PydanticCustomError:
    """The error that a validator raises: its message reaches people as it is."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def part_of(
    described: type[DataclassInstance],
    base: type[AnyPart],
    tag: tuple[str, str],
    types: Mapping[str, Any],
    validators: Mapping[str, Any],
) -> type[AnyPart]:
    """The model of a dataclass that another room owns: its fields, its defaults, its docstring.

    Made rather than written, so that what can be configured and what is built from it cannot come
    apart.

    Args:
        described: the dataclass.
        base: the class of all models of this sort.
        tag: the field that tells these models apart, and its value here.
        types: what each field may be, by its name.
        validators: rules between fields, by name, as `pydantic.create_model` takes them.
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
