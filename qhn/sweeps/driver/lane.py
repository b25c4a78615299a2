"""Lanes: queues of trials that wait for the same resource, and how many of them run at once.

The trials of one lane never hold back those of another. There is one lane today: trials that are
simulated, which wait for cores. The code that hands out, schedules and counts trials knows nothing
but their lanes. So a lane for a quantum processor needs only one more `Lane`, and a choice in
`lanes_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qhn.sweeps.planning.plan import PlannedTrial


@dataclass(frozen=True)
class Lane:
    """One lane.

    Attributes:
        name: its name in Tune's configuration of a trial.
        slots: how many of its trials run at once.
        resources: the resources that Ray reserves for each of its trials, by Ray's names.
    """

    name: str
    slots: int
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})

    @property
    def most_alive(self) -> int:
        """How many of its trials Tune may have that have not ended.

        These are one running trial for each slot; one waiting trial for each slot whose process
        may still be starting (see `PatientScheduler`); and one more. Without that one, a process
        whose trial has ended would be ended by Tune, because no trial waits for it.
        """
        return 2 * self.slots + 1


#: A function that returns the lane of a trial.
LaneOf = Callable[[PlannedTrial], Lane]


def simulator_lane(slots: int) -> Lane:
    """The lane of trials that are simulated on this machine, one core each."""
    return Lane("simulator", slots)


def lanes_of(slots: int) -> tuple[tuple[Lane, ...], LaneOf]:
    """The lanes of a run, and a function that returns the lane of a trial.

    Args:
        slots: how many simulated trials run at once.
    """
    # All devices so far are simulators.
    simulators = simulator_lane(slots)
    return (simulators,), lambda trial: simulators
