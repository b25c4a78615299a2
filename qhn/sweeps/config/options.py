"""The types of devices' options that are more than the dataclass of a device says.

They are found by the name of the option. Options of the same name mean the same on all devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from qhn.core.errors import InvalidValueError
from qhn.devices.kinds.exact import DEFAULT_TRAJECTORIES, MAX_TRAJECTORIES
from qhn.devices.kinds.options import MAX_SHOTS, SampleEstimator, as_noise, as_shots
from qhn.sweeps.config.part import Number, Part, broken_rule
from qhn.sweeps.config.schedules import AnySchedule, ScheduleConfig

_NULL = {"type": "null"}
_SHOT_COUNT = {"type": "integer", "minimum": 1, "maximum": MAX_SHOTS}
Probability = Annotated[Number, Field(ge=0, le=1)]


class NoiseConfig(Part):
    """Depolarising noise after every gate; see `qhn.core.noise.depolarising.Depolarising`."""

    p1: Probability = Field(description="the probability of an error after a rotation, 0 to 1")
    p2: Probability = Field(description="the probability of an error after a CNOT, 0 to 1")

    def __str__(self) -> str:
        return str(as_noise(self.model_dump()))


class _OrNumber:
    """Tells the JSON schema that a single number may stand for both probabilities."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema of the noise, or of one probability; pydantic calls this."""
        schema = handler(core_schema)
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, *schema["anyOf"]]}


def _both(value: Any) -> Any:
    """A number as both probabilities."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= 1:
            raise broken_rule(f"must be from 0 to 1, but got {value:g}")
        return {"p1": value, "p2": value}
    if value is None or isinstance(value, dict | NoiseConfig):
        return value
    raise broken_rule(f"must be a number from 0 to 1, or a mapping (p1, p2), but got {value!r}")


def _any_noise(noise: NoiseConfig | None) -> NoiseConfig | None:
    # No noise is the device without noise: the same training must not have two ids.
    return noise if noise is not None and (noise.p1 or noise.p2) else None


def _shape_of_shots(value: Any) -> str | None:
    if isinstance(value, dict | ScheduleConfig):
        return "by schedule"
    return "none" if value is None else "always"


def _canonical_shots(shots: int | ScheduleConfig | None) -> int | ScheduleConfig | None:
    # A schedule that never changes is a number. A number is checked by the device itself, whose
    # message names the option; in `exact:0` it has no place of its own.
    if not isinstance(shots, ScheduleConfig):
        return shots
    try:
        found = as_shots(shots.model_dump())
    except InvalidValueError as error:
        raise broken_rule(str(error)) from None
    return found if isinstance(found, int) else shots


def _other_trajectories(count: int | None, info: ValidationInfo) -> int | None:
    # Only where the device would average by itself does the default go without saying. Elsewhere
    # the number is kept, so that the device refuses it like any other.
    averages = info.data.get("noise") is not None and info.data.get("shots") is None
    return None if averages and count == DEFAULT_TRAJECTORIES else count


if TYPE_CHECKING:
    _Shots = int | ScheduleConfig | None
else:
    _Shots = Annotated[
        Union[  # noqa: UP007 - the schedules are only known at run time
            Annotated[
                AnySchedule,
                Tag("by schedule"),
            ],
            Annotated[int, Tag("always"), WithJsonSchema(_SHOT_COUNT)],
            Annotated[None, Tag("none")],
        ],
        Discriminator(_shape_of_shots),
        AfterValidator(_canonical_shots),
    ]

#: The types by the name of the option.
OPTION_TYPES: dict[str, Any] = {
    "shots": _Shots,
    # The parameter-shift rule may be named, but it is what None means: the same training must not
    # have two ids.
    "estimator": Annotated[
        Literal["shift", *get_args(SampleEstimator)] | None,
        AfterValidator(lambda chosen: None if chosen == "shift" else chosen),
    ],
    "noise": Annotated[
        NoiseConfig | None, BeforeValidator(_both), AfterValidator(_any_noise), _OrNumber()
    ],
    # The device itself refuses other numbers. What goes without saying is left out of identities.
    "trajectories": Annotated[
        int | None,
        AfterValidator(_other_trajectories),
        WithJsonSchema(
            {"anyOf": [{"type": "integer", "minimum": 2, "maximum": MAX_TRAJECTORIES}, _NULL]}
        ),
    ],
}
