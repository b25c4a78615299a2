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
    machines: int = 1,
) -> Live:
    """How many trials of each lane can be alive at once.

    A trial that waits for a quantum processor takes no core, but it takes memory. If there is not
    enough for all, the lane whose trials take most of it gets fewer, one after the other, but each
    lane keeps one.

    Args:
        trials: the trials that are left.
        wanted: how many of each lane should be alive, at least one each.
        machine: the machine that will run them, or the smallest of several.
        machines: how many machines there are.
    """
    by_lane: dict[LaneName, list[PlannedTrial]] = {}
    for trial in trials:
        by_lane.setdefault(trial.lane, []).append(trial)
    sizes = {
        lane: memory_of(trial.config for trial in members).trial
        for lane, members in by_lane.items()
    }
    shared = memory_of(trial.config for members in by_lane.values() for trial in members).shared
    most = {lane: max(1, min(wanted[lane], len(members))) for lane, members in by_lane.items()}
    # Each machine keeps the tables of its trials.
    available = machines * (machine.memory_bytes - shared)
    return Live(_fitted(most, sizes, available), sizes, most)


def _fitted(
    wanted: Mapping[LaneName, int], sizes: Mapping[LaneName, int], available: int
) -> dict[LaneName, int]:
    fitted = dict(wanted)
    while sum(number * sizes[lane] for lane, number in fitted.items()) > available:
        shrinking = [lane for lane, number in fitted.items() if number > 1]
        if not shrinking:
            break
        fitted[max(shrinking, key=lambda lane: fitted[lane] * sizes[lane])] -= 1
    return fitted
