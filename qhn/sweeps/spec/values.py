"""Hyperparameters that a sweep varies: a value, a list of values, or a distribution."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from qhn.core.objectives.bandwidth import RULES, BandwidthRule
from qhn.sweeps.config.sections import (
    SCHEDULE_KINDS,
    ConstantSchedule,
    CosineSchedule,
    CyclicSchedule,
    ExponentialSchedule,
    Number,
    Part,
    Positive,
    PriorSampleCount,
    WarmupSchedule,
    broken_rule,
)

T = TypeVar("T")

ClosedForm = Literal["closed form"]
CLOSED_FORM: ClosedForm = "closed form"
DISTRIBUTION_KINDS = ("uniform", "loguniform", "choice")


def as_items(value: Any) -> Any:
    """A value that stands alone is a list of one; lists become tuples."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


#: A list that is not empty; a lone value may stand for a list of one.
Items: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(as_items), Field(min_length=1)]


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


def _number_as_constant(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"schedule": "constant", "value": value} if is_number else value


_A_SCHEDULE = f"schedule: {', '.join(SCHEDULE_KINDS)}"
_A_DISTRIBUTION = f"distribution: {', '.join(DISTRIBUTION_KINDS)}"


def _discriminator(allowed: str, *words: str) -> Discriminator:
    return Discriminator(
        _kind(*words), custom_error_type="kind", custom_error_message=f"must be {allowed}"
    )


# Written out in full, because pydantic merges only unions that it can see.
LambdaValue = Annotated[
    Annotated[ConstantSchedule, Tag("constant")]
    | Annotated[WarmupSchedule, Tag("warmup")]
    | Annotated[ExponentialSchedule, Tag("exponential")]
    | Annotated[CosineSchedule, Tag("cosine")]
    | Annotated[CyclicSchedule, Tag("cyclic")],
    _discriminator(f"a number or a mapping ({_A_SCHEDULE})"),
    BeforeValidator(_number_as_constant),
]
LambdaItem = Annotated[
    Annotated[ConstantSchedule, Tag("constant")]
    | Annotated[WarmupSchedule, Tag("warmup")]
    | Annotated[ExponentialSchedule, Tag("exponential")]
    | Annotated[CosineSchedule, Tag("cosine")]
    | Annotated[CyclicSchedule, Tag("cyclic")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Choice[LambdaValue], Tag("choice")],
    _discriminator(f"a number or a mapping ({_A_SCHEDULE}; {_A_DISTRIBUTION})"),
    BeforeValidator(_number_as_constant),
]

_A_BANDWIDTH = f"a number greater than 0, {', '.join(RULES)}"
BandwidthValue = Annotated[
    Annotated[Positive, Tag("number")] | Annotated[BandwidthRule, Tag("word")],
    _discriminator(_A_BANDWIDTH, *RULES),
]
BandwidthItem = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[BandwidthRule, Tag("word")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Choice[BandwidthValue], Tag("choice")],
    _discriminator(f"{_A_BANDWIDTH} or a mapping ({_A_DISTRIBUTION})", *RULES),
]

PriorSamples = Annotated[
    Annotated[PriorSampleCount, Tag("number")] | Annotated[ClosedForm, Tag("word")],
    _discriminator(f"a whole number of at least 2, or {CLOSED_FORM}", CLOSED_FORM),
]

LearningRateItem = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Choice[Positive], Tag("choice")],
    _discriminator(f"a number greater than 0 or a mapping ({_A_DISTRIBUTION})"),
]
