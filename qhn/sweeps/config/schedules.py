"""The schedules of λ that a configuration may name: those of core, with their fields and defaults.

Core's registry is the only place that lists them. A schedule that is added there can be configured,
written in a sweep file and drawn in a random search without another line here, unless its fields
have a range of their own.
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

#: Core would refuse the same values, but in its own words and without the place in the file.
_RANGES = {"over": Fraction, "cycles": Count}
_RANGES_OF = {"exponential": {"start": Positive, "end": Positive}}


class ScheduleConfig(Part):
    """A schedule of λ; `SCHEDULE_CONFIGS` has the model of each kind."""

    schedule: str


def _check_order(high: float, info: ValidationInfo) -> float:
    low = info.data.get("low")
    if low is not None and high < low:
        raise broken_rule(f"must be at least low, but got low={low:g} and high={high:g}")
    return high


def _model(kind: str, described: type[Schedule]) -> type[ScheduleConfig]:
    # A protocol cannot say that what follows it is a dataclass.
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

if TYPE_CHECKING:
    AnySchedule: TypeAlias = ScheduleConfig
else:
    AnySchedule = Annotated[
        Union[tuple(SCHEDULE_CONFIGS.values())],  # noqa: UP007 - its members are only known here
        Field(discriminator="schedule"),
    ]
