"""The configuration of λ: one model for each schedule and each controller of core.

Only the registries of core list them. A schedule that is added there can be used in sweep
files and in random searches without a change here, unless one of its fields needs its own range.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union

from pydantic import Field, ValidationInfo, field_validator, model_validator

from qhn.core.errors import InvalidValueError
from qhn.core.objectives.controllers import CONTROLLERS, Controller, make_controller
from qhn.core.objectives.schedules import SCHEDULES, Schedule
from qhn.sweeps.config.part import (
    Count,
    Fraction,
    NonNegative,
    Number,
    Part,
    Positive,
    broken_rule,
    part_of,
)

#: The ranges of fields. Core refuses the same values, but its message does not know the place in
#: the sweep file. All other fields must not be negative.
_RANGES = {"over": Fraction, "cycles": Count}
_PART = Annotated[Number, Field(gt=0, lt=1)]
_BOUNDS = {"start": Positive, "low": Positive, "high": Positive}
_RANGES_OF: dict[str, dict[str, Any]] = {
    "exponential": {"start": Positive, "end": Positive},
    "entropy": {**_BOUNDS, "target": _PART, "gain": Positive},
    "balance": {**_BOUNDS, "ratio": Positive, "inertia": Annotated[Number, Field(ge=0, lt=1)]},
    "plateau": {**_BOUNDS, "factor": _PART, "patience": Count},
}


class ScheduleConfig(Part):
    """A schedule of λ, or a controller. `LAMBDA_CONFIGS` has the model of each kind."""

    schedule: str


def _check_order(high: float, info: ValidationInfo) -> float:
    low = info.data.get("low")
    if low is not None and high < low:
        raise broken_rule(f"must be at least low, but got low={low:g} and high={high:g}")
    return high


def _check_controller(config: ScheduleConfig) -> ScheduleConfig:
    # How several fields belong together is a rule of the controller itself.
    try:
        make_controller(config.schedule, **config.model_dump(exclude={"schedule"}))
    except InvalidValueError as error:
        raise broken_rule(str(error)) from None
    return config


def _model(kind: str, described: type[Schedule] | type[Controller]) -> type[ScheduleConfig]:
    # A protocol cannot express that every schedule is a dataclass, so the type checker must not
    # look.
    schedule: Any = described
    names = [field.name for field in dataclasses.fields(schedule)]
    own = _RANGES_OF.get(kind, {})
    types = {name: own.get(name, _RANGES.get(name, NonNegative)) for name in names}
    validators: dict[str, Any] = {}
    if kind in CONTROLLERS:
        validators["check_controller"] = model_validator(mode="after")(_check_controller)
    elif "low" in names and "high" in names:
        validators["check_order"] = field_validator("high")(_check_order)
    return part_of(schedule, ScheduleConfig, ("schedule", kind), types, validators)


#: The model of each kind of schedule, in the order of core's registry.
SCHEDULE_CONFIGS: dict[str, type[ScheduleConfig]] = {
    kind: _model(kind, described) for kind, described in SCHEDULES.items()
}
#: The model of each kind of schedule and of controller: all that λ can be.
LAMBDA_CONFIGS: dict[str, type[ScheduleConfig]] = {
    **SCHEDULE_CONFIGS,
    **{kind: _model(kind, described) for kind, described in CONTROLLERS.items()},
}

# A type checker cannot know a union whose members are made at run time. pydantic needs the union,
# to choose the model by the field `schedule`.
if TYPE_CHECKING:
    AnySchedule: TypeAlias = ScheduleConfig
    AnyLambda: TypeAlias = ScheduleConfig
else:
    AnySchedule = Annotated[
        Union[tuple(SCHEDULE_CONFIGS.values())],  # noqa: UP007 - its members are only known here
        Field(discriminator="schedule"),
    ]
    AnyLambda = Annotated[
        Union[tuple(LAMBDA_CONFIGS.values())],  # noqa: UP007 - as above
        Field(discriminator="schedule"),
    ]
