"""Lanes: trials that wait for the same scarce thing, and how many of them may be under way.

Trials of one lane take their turn among themselves and never hold back those of another. Today
there is one lane, that of the simulators, whose scarce thing is cores. Emission, scheduling and the
count of live trials ask a trial's lane and nothing else, so that a lane for a quantum processor is
one more value of `Lane`, and a choice in `lanes_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qhn.sweeps.planning.plan import PlannedTrial


@dataclass(frozen=True)
class Lane:
    """One lane.

    Attributes:
        name: what Tune's configuration of a trial calls it.
        slots: how many of its trials run at once.
        resources: what Ray reserves for each of them.
    """

    name: str
    slots: int
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})

    @property
    def most_alive(self) -> int:
        """How many of its trials Tune may have that are not over.

        Beyond those that run: one for each slot whose process may still be starting (see
        `PatientScheduler`), and one more, since Tune ends the process of a trial that is over
        when nothing of the same resources waits for it.
        """
        return 2 * self.slots + 1


#: The lane of each trial.
LaneOf = Callable[[PlannedTrial], Lane]


def simulator_lane(slots: int) -> Lane:
    """The lane of trials that are simulated on this cluster's cores, one core each."""
    return Lane("simulator", slots)


def lanes_of(slots: int) -> tuple[tuple[Lane, ...], LaneOf]:
    """The lanes of a run, and the lane of each trial.

    Args:
        slots: simulated trials that run at once.
    """
    # All devices that there are today are simulated here; a queued one will have its own lane.
    simulators = simulator_lane(slots)
    return (simulators,), lambda trial: simulators
