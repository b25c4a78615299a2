"""Hyperparameters that a sweep varies: a value, a list of values, or a distribution."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, TypeVar, Union

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from qhn.core.objectives.bandwidth import RULES, BandwidthRule
from qhn.core.objectives.schedules import Constant
from qhn.sweeps.config.part import Number, Part, Positive, broken_rule
from qhn.sweeps.config.schedules import SCHEDULE_CONFIGS, ScheduleConfig
from qhn.sweeps.config.sections import PriorSampleCount

T = TypeVar("T")

ClosedForm = Literal["closed form"]
CLOSED_FORM: ClosedForm = "closed form"


def as_items(value: Any) -> Any:
    """A value that stands alone is a list of one; lists become tuples."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class Shorthand:
    """Tells the JSON schema what else may stand for a value: it cannot look into a validator.

    Attributes:
        others: from the schema of the value, with references resolved by the function beside it,
            the schemas of what may stand for it.
    """

    others: Callable[[JsonSchemaValue, Callable[[JsonSchemaValue], JsonSchemaValue]], list[Any]]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The value or what may stand for it; pydantic calls this."""
        schema = handler(core_schema)
        return {"anyOf": [*self.others(schema, handler.resolve_ref_schema), schema]}


#: A list that is not empty; in Python a lone value is taken as well.
Several: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(as_items), Field(min_length=1)]
#: A list that is not empty; a lone value may stand for a list of one.
Items: TypeAlias = Annotated[Several[T], Shorthand(lambda schema, resolve: [schema["items"]])]


class Distribution(Part):
    """Something to draw from in random search; `at` maps a uniform number to a draw."""

    @abstractmethod
    def at(self, u: float) -> Any:
        """The draw that belongs to u, which is uniform in [0, 1)."""


class _Interval(Distribution):
    low: Number = Field(ge=0, description="the lower end, a number")
    high: Number = Field(gt=0, description="the upper end, a number")

    @field_validator("high")
    @classmethod
    def _check_order(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("low")
        if low is not None and high <= low:
            raise broken_rule(f"must be greater than low, but got low={low:g} and high={high:g}")
        return high


class Uniform(_Interval):
    """Uniform in (low, high]: 0, which h and learning rates may not be, is never drawn."""

    distribution: Literal["uniform"] = "uniform"

    def at(self, u: float) -> float:
        """``high − u (high − low)``; the smallest double where rounding makes that 0."""
        return self.high - u * (self.high - self.low) or math.ulp(0.0)


class LogUniform(_Interval):
    """The logarithm is uniform between those of low and high."""

    distribution: Literal["loguniform"] = "loguniform"
    low: Number = Field(gt=0, description="the lower end, a number greater than 0")

    def at(self, u: float) -> float:
        """``low (high / low)^u``, never above high."""
        ratio = self.high / self.low
        if math.isfinite(ratio):
            return min(self.low * math.exp(u * math.log(ratio)), self.high)
        low, high = math.log(self.low), math.log(self.high)
        drawn = math.exp(min(low + u * (high - low), high))
        return min(max(drawn, self.low), self.high)


class Choice(Distribution, Generic[T]):
    """One of the values, each as likely."""

    distribution: Literal["choice"] = "choice"
    values: Items[T] = Field(description="a list of values")

    def at(self, u: float) -> T:
        """The value at place ``floor(u · number of values)``."""
        return pick(self.values, u)


def pick(values: tuple[T, ...], u: float) -> T:
    """The value that belongs to u, uniform in [0, 1), if each is as likely."""
    return values[int(u * len(values))]


_INTERVALS: dict[str, type[Distribution]] = {"uniform": Uniform, "loguniform": LogUniform}
DISTRIBUTION_KINDS = (*_INTERVALS, "choice")
SCHEDULE_KINDS = tuple(SCHEDULE_CONFIGS)


def number_as_constant(value: Any) -> Any:
    """A number that stands for a schedule is the constant one; anything else stays as it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"schedule": Constant.kind, "value": value} if is_number else value


# A number that stands for a schedule keeps the rule of that schedule's value.
_NUMBER = Shorthand(
    lambda schema, resolve: [
        SCHEDULE_CONFIGS[Constant.kind].model_json_schema()["properties"]["value"]
    ]
)


def _kind(*words: str) -> Callable[[Any], str | None]:
    """The kind of a raw value or of a model: a distribution, a schedule, a number or a word."""

    def kind(value: Any) -> str | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return "number"
        if isinstance(value, str):
            return "word" if value in words else None
        for key, kinds in (("distribution", DISTRIBUTION_KINDS), ("schedule", SCHEDULE_KINDS)):
            found = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
            if isinstance(found, str) and found in kinds:
                return found
        return None

    return kind


def _one_of(members: Mapping[str, Any], allowed: str, *words: str) -> Any:
    """A union of types, told apart by the kind of the value.

    A flat union, since pydantic would not look through nested ones.

    Args:
        members: type by kind.
        allowed: what a message says must be there.
        words: texts that count as the kind ``word``.
    """
    tagged = tuple(Annotated[member, Tag(kind)] for kind, member in members.items())
    discriminator = Discriminator(
        _kind(*words), custom_error_type="kind", custom_error_message=f"must be {allowed}"
    )
    return Annotated[Union[tagged], discriminator]  # noqa: UP007 - only known here


def _or_drawn(members: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The members, and the distributions from which a random search can draw such a value."""
    return {**members, **_INTERVALS, "choice": Choice[value]}


_A_SCHEDULE = f"schedule: {', '.join(SCHEDULE_KINDS)}"
_A_DISTRIBUTION = f"distribution: {', '.join(DISTRIBUTION_KINDS)}"
_A_BANDWIDTH = f"a number greater than 0, {', '.join(RULES)}"
_BANDWIDTHS = {"number": Positive, "word": BandwidthRule}

# Unions of registries can only be made at run time; what they come to is written out for a type
# checker. An item is what a list of a sweep file may hold, a value is what a choice may.
if TYPE_CHECKING:
    LambdaItem: TypeAlias = ScheduleConfig | Distribution
    BandwidthItem: TypeAlias = float | BandwidthRule | Distribution
    PriorSamples: TypeAlias = int | ClosedForm
    LearningRateItem: TypeAlias = float | Distribution
else:
    _LambdaValue = Annotated[
        _one_of(SCHEDULE_CONFIGS, f"a number or a mapping ({_A_SCHEDULE})"),
        BeforeValidator(number_as_constant),
        _NUMBER,
    ]
    LambdaItem = Annotated[
        _one_of(
            _or_drawn(SCHEDULE_CONFIGS, _LambdaValue),
            f"a number or a mapping ({_A_SCHEDULE}; {_A_DISTRIBUTION})",
        ),
        BeforeValidator(number_as_constant),
        _NUMBER,
    ]
    BandwidthItem = _one_of(
        _or_drawn(_BANDWIDTHS, _one_of(_BANDWIDTHS, _A_BANDWIDTH, *RULES)),
        f"{_A_BANDWIDTH} or a mapping ({_A_DISTRIBUTION})",
        *RULES,
    )
    PriorSamples = _one_of(
        {"number": PriorSampleCount, "word": ClosedForm},
        f"a whole number of at least 2, or {CLOSED_FORM}",
        CLOSED_FORM,
    )
    LearningRateItem = _one_of(
        _or_drawn({"number": Positive}, Positive),
        f"a number greater than 0 or a mapping ({_A_DISTRIBUTION})",
    )
