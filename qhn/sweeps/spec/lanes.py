"""Lanes in sweep files: which devices share one, what it may do, and what it may cost.

Nothing of it belongs to a trial. So changing a limit, a price or a budget changes no trial id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from qhn.devices.queued import Access
from qhn.sweeps.config.part import Count, NonNegative, Part, Positive, broken_rule
from qhn.sweeps.spec.devices import DeviceSpec, Label
from qhn.sweeps.spec.values import Items

#: The name of the lane of all devices that have no queue, which no other lane can have.
SIMULATOR = "simulator"


def _check_name(name: str) -> str:
    if name == SIMULATOR:
        raise broken_rule(
            f"the lane of devices without a queue is called {SIMULATOR!r} already; "
            "choose another name"
        )
    return name


LaneName: TypeAlias = Annotated[Label, AfterValidator(_check_name)]
#: The most steps of different trials in one job. No simulation gained from more than eight.
MAX_REQUESTS = 1024


class BudgetSpec(Part):
    """The most that a sweep may use of a lane: shots, seconds of the processor, money."""

    shots: Annotated[int, Field(ge=1, le=2**53)] | None = None
    qpu_seconds: Positive | None = None
    cost: Positive | None = None
    per: Literal["sweep", "trial"] = "sweep"

    @model_validator(mode="after")
    def _check_any(self) -> BudgetSpec:
        if self.shots is None and self.qpu_seconds is None and self.cost is None:
            raise broken_rule(
                "must limit shots, qpu_seconds or cost, but none of them is given; "
                "leave the budget out if nothing is limited"
            )
        return self


class PricesSpec(Part):
    """What a job costs: for itself, for each shot and each second, and at least the minimum."""

    job: NonNegative = 0.0
    shot: NonNegative = 0.0
    second: NonNegative = 0.0
    minimum: NonNegative = 0.0


class LaneSpec(Part):
    """A lane of a queued device. What is left out follows from the device's provider."""

    devices: Items[Label] = Field(description="labels of devices")
    jobs_in_flight: Count | None = None
    submissions_per_minute: Count | None = None
    requests_per_job: Annotated[int, Field(ge=1, le=MAX_REQUESTS)] | None = None
    live_trials: Count | None = None
    budget: BudgetSpec | None = None
    prices: PricesSpec | None = None
    when_spent: Literal["finish", "wait"] = "finish"


@dataclass(frozen=True)
class LaneOfFile:
    """The devices of one lane.

    Attributes:
        name: the name of the lane.
        queue: the name of the queue that its devices share.
        access: how each of its devices is reached, by label.
        spec: what the file says about the lane; None if it does not mention it.
    """

    name: str
    queue: str
    access: Mapping[str, Access]
    spec: LaneSpec | None


def queue_of(device: DeviceSpec) -> str | None:
    """The name of the queue of a device; None if it has none."""
    access = device.access
    return None if access is None else access.queue(device.key)


def lanes_of_file(
    devices: Iterable[DeviceSpec], lanes: Mapping[str, LaneSpec]
) -> tuple[LaneOfFile, ...]:
    """All lanes of queued devices: those of the file, and one for each queue that none names.

    Args:
        devices: the devices of a file that `qhn.sweeps.spec.lane_rules` has nothing against.
        lanes: the lanes of the file.
    """
    access = {d.key: a for d in devices if (a := d.access) is not None}
    found: list[LaneOfFile] = []
    for name, spec in lanes.items():
        of_lane = {label: access[label] for label in dict.fromkeys(spec.devices)}
        first = spec.devices[0]
        found.append(LaneOfFile(name, access[first].queue(first), of_lane, spec))
    named = {label for lane in found for label in lane.access}
    rest: dict[str, dict[str, Access]] = {}
    for label, settings in access.items():
        if label not in named:
            rest.setdefault(settings.queue(label), {})[label] = settings
    taken = {SIMULATOR, *lanes}
    for queue, of_lane in rest.items():
        name = _free_name(next(iter(of_lane)), queue, taken)
        taken.add(name)
        found.append(LaneOfFile(name, queue, of_lane, None))
    return tuple(found)


def _free_name(label: str, queue: str, taken: set[str]) -> str:
    if label not in taken:
        return label
    number = 1
    while (name := queue if number == 1 else f"{queue}-{number}") in taken:
        number += 1
    return name
