"""How many trials of each lane are alive at once, with the memory that the machine has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import Plan, PlannedTrial

#: The name of a lane in the sweep file; None for simulated trials.
LaneName = str | None


@dataclass(frozen=True)
class Live:
    """How many trials of each lane are alive at once.

    Attributes:
        trials: their numbers, by lane. Lanes without a trial are not in it.
        trial_bytes: the memory of the largest trial of each lane, in bytes.
        wanted: as many as there would be if memory were no matter.
    """

    trials: Mapping[LaneName, int]
    trial_bytes: Mapping[LaneName, int]
    wanted: Mapping[LaneName, int]

    @property
    def simulated(self) -> int:
        """How many simulated trials are alive at once."""
        return self.trials.get(None, 0)

    def queued(self) -> dict[str, int]:
        """How many trials are alive at once in each lane of a queued device."""
        return {lane: number for lane, number in self.trials.items() if lane is not None}


def wanted_live(plan: Plan, simulated: int) -> dict[LaneName, int]:
    """How many trials of each lane should be alive at once if there is memory for all.

    Args:
        plan: the plan, whose lanes say it for queued devices.
        simulated: how many simulated trials should be alive at once.
    """
    return {None: simulated} | {lane.name: lane.live_trials for lane in plan.lanes}


def live_trials(
    trials: Iterable[PlannedTrial],
    wanted: Mapping[LaneName, int],
    machine: Machine,
) -> Live:
    """How many trials of each lane can be alive at once on one machine.

    A trial that waits for a quantum processor takes no core, but it takes memory. If there is not
    enough for all, the lane whose trials take most of it gets fewer, one after the other, but each
    lane keeps one.

    Args:
        trials: the trials that are left.
        wanted: how many of each lane should be alive, at least one each.
        machine: the machine that will run them.
    """
    found = by_lane(trials)
    sizes = {lane: memory_of(t.config for t in members).trial for lane, members in found.items()}
    shared = memory_of(trial.config for members in found.values() for trial in members).shared
    most = {lane: max(1, min(wanted[lane], len(members))) for lane, members in found.items()}
    fitted = shrunk(most, sizes, machine.memory_bytes - shared)
    return Live({lane: max(1, number) for lane, number in fitted.items()}, sizes, most)


def by_lane(trials: Iterable[PlannedTrial]) -> dict[LaneName, list[PlannedTrial]]:
    """The trials of each lane that has any, in their order."""
    found: dict[LaneName, list[PlannedTrial]] = {}
    for trial in trials:
        found.setdefault(trial.lane, []).append(trial)
    return found


def shrunk(
    wanted: Mapping[LaneName, int], sizes: Mapping[LaneName, int], available: int
) -> dict[LaneName, int]:
    """As many trials of each lane as fit into some memory together.

    The lane that takes most of it gets fewer, one after the other. A lane loses its last trial only
    when all others have one at most.

    Args:
        wanted: how many of each lane there would be if memory were no matter.
        sizes: the memory of each trial of a lane, in bytes.
        available: the memory for all of them, in bytes.
    """
    fitted = dict(wanted)
    while sum(number * sizes[lane] for lane, number in fitted.items()) > available:
        least = 1 if any(number > 1 for number in fitted.values()) else 0
        shrinking = [lane for lane, number in fitted.items() if number > least]
        if not shrinking:
            break
        fitted[max(shrinking, key=lambda lane: fitted[lane] * sizes[lane])] -= 1
    return fitted
