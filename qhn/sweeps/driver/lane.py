"""Lanes: queues of trials that wait for the same resource, and how many of them run at once.

The trials of one lane never hold back those of another. Trials that are simulated are one lane,
which waits for cores. The trials of each queue of quantum processors are another one: they hold no
core, because they mostly wait. What they wait for, the right to submit a job, is not given by Ray
but by the lane's broker (see `qhn.lanes`). Ray only bounds how many of them are alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from qhn.sweeps.planning.plan import PlannedTrial


@dataclass(frozen=True)
class Lane:
    """One lane.

    Attributes:
        name: its name in Tune's configuration of a trial.
        slots: how many of its trials run at once.
        resources: the resources that Ray reserves for each of its trials, by Ray's names.
        bounded: whether Ray has no more than `slots` of these resources, so that further trials
            wait in Ray.
    """

    name: str
    slots: int
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})
    bounded: bool = True

    @property
    def is_queued(self) -> bool:
        """Whether its trials wait for a queue of quantum processors, and hold no core."""
        return not self.resources.get("CPU")

    @property
    def roomy(self) -> Lane:
        """The lane of its trials for which memory is reserved as well, each on its own.

        They were killed for want of memory before, so that only one of them runs at once.
        """
        return replace(self, name=f"{self.name} with more memory", slots=1, bounded=False)

    @property
    def most_alive(self) -> int:
        """How many of its trials Tune may have that have not ended.

        These are one running trial for each slot; one waiting trial for each slot whose process
        may still be starting (see `PatientScheduler`); and one more. Without that one, a process
        whose trial has ended would be ended by Tune, because no trial waits for it.

        If Ray does not bound the lane, all of them would run. So there are only as many as slots.
        """
        return 2 * self.slots + 1 if self.bounded else self.slots


#: A function that returns the lane of a trial.
LaneOf = Callable[[PlannedTrial], Lane]
_PREFIX = "lane:"


def resource_of(name: str) -> str:
    """Ray's name for the resource that bounds how many trials of a queued lane are alive.

    Args:
        name: the name of the lane in the sweep file.
    """
    return f"{_PREFIX}{name}"


def is_of_lane(resource: str) -> bool:
    """Whether a resource of Ray is that of a queued lane, whatever the lane's name."""
    return resource.startswith(_PREFIX)


def simulator_lane(
    slots: int, resources: Mapping[str, float] | None = None, *, bounded: bool = True
) -> Lane:
    """The lane of trials that are simulated, one core each.

    Args:
        slots: how many of its trials run at once.
        resources: the resources that Ray reserves for each of them; None for a core and no more.
        bounded: whether Ray has no more of these than for `slots` trials.
    """
    return Lane("simulator", slots, {"CPU": 1.0} if resources is None else resources, bounded)


def queued_lane(
    name: str, slots: int, resources: Mapping[str, float] | None = None, *, bounded: bool = True
) -> Lane:
    """The lane of trials that wait for a queue of quantum processors.

    Args:
        name: its name in the sweep file.
        slots: how many of its trials are alive at once.
        resources: the resources that Ray reserves for each of them; None for one of the lane's own.
            If Ray has not that one, they must have memory: Ray wants at least one resource for a
            process, and a part of a CPU would keep a simulated trial from the rest of that CPU.
        bounded: whether Ray has the lane's own resource.
    """
    # A lane may be called "simulator" in a file, so Tune knows it by the name of its resource.
    own = resource_of(name)
    return Lane(own, slots, {"CPU": 0, own: 1.0} if resources is None else resources, bounded)


def lanes_of(
    simulators: Lane, queued: Iterable[tuple[str, Lane]] = ()
) -> tuple[list[Lane], LaneOf]:
    """The lanes of a run, and a function that returns the lane of a trial.

    Args:
        simulators: the lane of simulated trials.
        queued: the lanes of queued devices, each with its name in the sweep file.
    """
    by_name = dict(queued)

    def lane_of(trial: PlannedTrial) -> Lane:
        return simulators if trial.lane is None else by_name[trial.lane]

    return [simulators, *by_name.values()], lane_of
