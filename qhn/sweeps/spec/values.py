"""The types of hyperparameters that a sweep varies: values, lists of values, and distributions."""

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
from qhn.sweeps.config.schedules import LAMBDA_CONFIGS, SCHEDULE_CONFIGS, ScheduleConfig
from qhn.sweeps.config.sections import PriorSampleCount

T = TypeVar("T")

ClosedForm = Literal["closed form"]
CLOSED_FORM: ClosedForm = "closed form"


def as_items(value: Any) -> Any:
    """A list as a tuple; any other value as a tuple that contains only this value."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class Shorthand:
    """Tells the JSON schema which short forms may stand for a value.

    A validator turns short forms into the value, and pydantic cannot see from its code which ones.

    Attributes:
        others: a function that returns the schemas of the short forms. It gets the schema of the
            value, and a function that resolves references in it.
    """

    others: Callable[[JsonSchemaValue, Callable[[JsonSchemaValue], JsonSchemaValue]], list[Any]]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema of the value or one of its short forms. pydantic calls this."""
        schema = handler(core_schema)
        return {"anyOf": [*self.others(schema, handler.resolve_ref_schema), schema]}


#: A list with at least one item. A single value is accepted, but is not in the JSON schema.
Several: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(as_items), Field(min_length=1)]
#: A list with at least one item, or a single value, also in the JSON schema.
Items: TypeAlias = Annotated[Several[T], Shorthand(lambda schema, resolve: [schema["items"]])]


class Distribution(Part):
    """A distribution from which a random search draws values."""

    @abstractmethod
    def at(self, u: float) -> Any:
        """The value that is drawn for a number u, which is uniform in [0, 1)."""


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
    """Uniform in (low, high]. So 0 is never drawn, which h and learning rates must not be."""

    distribution: Literal["uniform"] = "uniform"

    def at(self, u: float) -> float:
        """``high − u (high − low)``, or the smallest positive double if rounding makes that 0."""
        return self.high - u * (self.high - self.low) or math.ulp(0.0)


class LogUniform(_Interval):
    """The logarithm is uniform between those of low and high."""

    distribution: Literal["loguniform"] = "loguniform"
    low: Number = Field(gt=0, description="the lower end, a number greater than 0")

    def at(self, u: float) -> float:
        """``low (high / low)^u``, never above high."""
        # If the ratio overflows, the logarithms are computed separately, which is less accurate.
        ratio = self.high / self.low
        if math.isfinite(ratio):
            return min(self.low * math.exp(u * math.log(ratio)), self.high)
        low, high = math.log(self.low), math.log(self.high)
        drawn = math.exp(min(low + u * (high - low), high))
        return min(max(drawn, self.low), self.high)


class Choice(Distribution, Generic[T]):
    """One of some values, with equal probabilities."""

    distribution: Literal["choice"] = "choice"
    values: Items[T] = Field(description="a list of values")

    def at(self, u: float) -> T:
        """The value with the index ``floor(u · number of values)``."""
        return pick(self.values, u)


def pick(values: tuple[T, ...], u: float) -> T:
    """The value for a number u, which is uniform in [0, 1), with equal probabilities."""
    return values[int(u * len(values))]


_INTERVALS: dict[str, type[Distribution]] = {"uniform": Uniform, "loguniform": LogUniform}
DISTRIBUTION_KINDS = (*_INTERVALS, "choice")
SCHEDULE_KINDS = tuple(LAMBDA_CONFIGS)


def number_as_constant(value: Any) -> Any:
    """Turn a number into a constant schedule. Other values stay as they are."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"schedule": Constant.kind, "value": value} if is_number else value


# A number that stands for a constant schedule has the same range as the value of that schedule.
_NUMBER = Shorthand(
    lambda schema, resolve: [
        SCHEDULE_CONFIGS[Constant.kind].model_json_schema()["properties"]["value"]
    ]
)


# No key of a file can be called so, so that nobody takes the tag for one.
_SUM = "sum of kernels"


def _kind(*words: str) -> Callable[[Any], str | None]:
    """A function that returns the kind of a value: a distribution, a schedule, a number, a word."""

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
        if isinstance(value, KernelSumSpec) or (isinstance(value, dict) and "sum" in value):
            return _SUM
        return None

    return kind


def _one_of(members: Mapping[str, Any], allowed: str, *words: str) -> Any:
    """A union of types, of which the kind of the value selects one.

    All members must be in one union, because pydantic does not look into nested ones.

    Args:
        members: the types by kind.
        allowed: the text for messages that says what is allowed.
        words: the texts that are of the kind ``word``.
    """
    tagged = tuple(Annotated[member, Tag(kind)] for kind, member in members.items())
    discriminator = Discriminator(
        _kind(*words), custom_error_type="kind", custom_error_message=f"must be {allowed}"
    )
    return Annotated[Union[tagged], discriminator]  # noqa: UP007 - only known here


def _or_drawn(members: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The members of a union, and the distributions from which such a value can be drawn."""
    return {**members, **_INTERVALS, "choice": Choice[value]}


_A_SCHEDULE = f"schedule: {', '.join(SCHEDULE_KINDS)}"
_A_DISTRIBUTION = f"distribution: {', '.join(DISTRIBUTION_KINDS)}"
_A_BANDWIDTH = f"a number greater than 0, {', '.join(RULES)}"


if TYPE_CHECKING:
    _Width: TypeAlias = float | BandwidthRule
else:
    _Width = _one_of({"number": Positive, "word": BandwidthRule}, _A_BANDWIDTH, *RULES)


class KernelSumSpec(Part):
    """The sum of the Gaussian kernels with these bandwidths, as the kernel of MMD² or KALE."""

    sum: Annotated[tuple[_Width, ...], BeforeValidator(as_items), Field(min_length=2)] = Field(
        description="a list of bandwidths"
    )


_BANDWIDTHS = {"number": Positive, "word": BandwidthRule, _SUM: KernelSumSpec}

# The unions are made from registries at run time, which a type checker cannot follow, so the types
# are written out for it. An "item" may be in a list of a sweep file, and a "value" in a choice.
if TYPE_CHECKING:
    LambdaItem: TypeAlias = ScheduleConfig | Distribution
    BandwidthItem: TypeAlias = float | BandwidthRule | KernelSumSpec | Distribution
    PriorSamples: TypeAlias = int | ClosedForm
    LearningRateItem: TypeAlias = float | Distribution
else:
    _LambdaValue = Annotated[
        _one_of(LAMBDA_CONFIGS, f"a number or a mapping ({_A_SCHEDULE})"),
        BeforeValidator(number_as_constant),
        _NUMBER,
    ]
    LambdaItem = Annotated[
        _one_of(
            _or_drawn(LAMBDA_CONFIGS, _LambdaValue),
            f"a number or a mapping ({_A_SCHEDULE}; {_A_DISTRIBUTION})",
        ),
        BeforeValidator(number_as_constant),
        _NUMBER,
    ]
    BandwidthItem = _one_of(
        _or_drawn(_BANDWIDTHS, _one_of(_BANDWIDTHS, _A_BANDWIDTH, *RULES)),
        f"{_A_BANDWIDTH} or a mapping (sum: [...]; {_A_DISTRIBUTION})",
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
