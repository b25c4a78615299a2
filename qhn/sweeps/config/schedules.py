"""The configuration of schedules of λ: one model for each schedule of core.

Only the registry of core lists the schedules. A schedule that is added there can be used in sweep
files and in random searches without a change here, unless one of its fields needs its own range.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union

from pydantic import Field, ValidationInfo, field_validator

from qhn.core.objectives.schedules import SCHEDULES, Schedule
from qhn.sweeps.config.part import (
    Count,
    Fraction,
    NonNegative,
    Part,
    Positive,
    broken_rule,
    part_of,
)

#: The ranges of fields. Core refuses the same values, but its message does not know the place in
#: the sweep file. All other fields must not be negative.
_RANGES = {"over": Fraction, "cycles": Count}
_RANGES_OF = {"exponential": {"start": Positive, "end": Positive}}


class ScheduleConfig(Part):
    """A schedule of λ. `SCHEDULE_CONFIGS` has the model of each kind."""

    schedule: str


def _check_order(high: float, info: ValidationInfo) -> float:
    low = info.data.get("low")
    if low is not None and high < low:
        raise broken_rule(f"must be at least low, but got low={low:g} and high={high:g}")
    return high


def _model(kind: str, described: type[Schedule]) -> type[ScheduleConfig]:
    # A protocol cannot express that every schedule is a dataclass, so the type checker must not
    # look.
    schedule: Any = described
    names = [field.name for field in dataclasses.fields(schedule)]
    own = _RANGES_OF.get(kind, {})
    types = {name: own.get(name, _RANGES.get(name, NonNegative)) for name in names}
    ordered = "low" in names and "high" in names
    validators = {"check_order": field_validator("high")(_check_order)} if ordered else {}
    return part_of(schedule, ScheduleConfig, ("schedule", kind), types, validators)


#: The model of each kind of schedule, in the order of core's registry.
SCHEDULE_CONFIGS: dict[str, type[ScheduleConfig]] = {
    kind: _model(kind, described) for kind, described in SCHEDULES.items()
}

# A type checker cannot know a union whose members are made at run time. pydantic needs the union,
# to choose the model by the field `schedule`.
if TYPE_CHECKING:
    AnySchedule: TypeAlias = ScheduleConfig
else:
    AnySchedule = Annotated[
        Union[tuple(SCHEDULE_CONFIGS.values())],  # noqa: UP007 - its members are only known here
        Field(discriminator="schedule"),
    ]
