"""What Ray reserves for each trial, and how many trials fit on the machines of a Ray.

Ray places trials by what is reserved for them. On a Ray that is not ours this is also memory, so
that Ray never gives a trial to a machine that is too small for it, at whatever time that machine
has joined. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qhn.sweeps.driver.lane import resource_of
from qhn.sweeps.driver.live import LaneName, Live, by_lane, shrunk
from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import PlannedTrial

#: The memory of a trial's process besides what `memory_of` computes, in bytes. 320 MiB that it
#: shares with no other process were measured, without the libraries of a device.
PROCESS_BYTES = 384 * 2**20
_MEMORY = "memory"


def needed_bytes(trials: Iterable[PlannedTrial]) -> int:
    """The memory that the process of the largest of these trials needs, in bytes.

    What trials share is not part of it. It is in Ray's object store, which has memory of its own.
    """
    return PROCESS_BYTES + memory_of(trial.config for trial in trials).trial


def number_on(node: Node, resources: Mapping[str, float], *, but: Iterable[str] = ()) -> int:
    """How many times a machine has all these resources.

    Args:
        node: the machine.
        resources: an amount of each resource, by Ray's names. At least one is above zero.
        but: resources that are taken for unlimited.
    """
    bounds = [
        int(node.resources.get(name, 0) // amount)
        for name, amount in resources.items()
        if amount > 0 and name not in but
    ]
    # What needs nothing but memory is bounded by nothing if memory is left out.
    return min(bounds, default=2**31)


def largest_memory(nodes: Iterable[Node], resources: Mapping[str, float]) -> int | None:
    """The most memory that Ray has on one of the machines with these resources, in bytes.

    Args:
        nodes: the machines.
        resources: an amount of each resource, by Ray's names. Memory does not count.

    Returns:
        The memory; None if no machine has the resources.
    """
    sizes = [node.ray_memory for node in nodes if number_on(node, resources, but=[_MEMORY])]
    return max(sizes, default=None)


@dataclass(frozen=True)
class Placement:
    """What is reserved for the trials of a run on a Ray that is not ours.

    It stays the same for the whole run, although machines come and go: Tune tells the processes of
    trials apart by it.

    Attributes:
        resources: what Ray reserves for each trial of a lane, by Ray's names.
        trials: how many trials each lane has.
    """

    resources: Mapping[LaneName, Mapping[str, float]]
    trials: Mapping[LaneName, int]

    def is_bound_to(self, lane: LaneName) -> bool:
        """Whether Ray has a resource of the lane's own, so that it bounds its trials."""
        return lane is None or resource_of(lane) in self.resources[lane]

    def reserved(self, lane: LaneName) -> int:
        """The memory that Ray reserves for each trial of a lane, in bytes."""
        return int(self.resources[lane][_MEMORY])

    def room(self, nodes: Iterable[Node], lane: LaneName) -> int:
        """How many trials of a lane Ray can run at once if those of other lanes take nothing."""
        needs = self.resources.get(lane)
        return 0 if needs is None else sum(number_on(node, needs) for node in nodes)

    def machine(self, nodes: Sequence[Node]) -> Machine:
        """The memory of the smallest of the machines that can get trials, or else of all."""
        able = [node for node in nodes if any(number_on(node, r) for r in self.resources.values())]
        machines = [node.machine for node in able or nodes]
        stores = [machine.object_store_bytes or 0 for machine in machines]
        return Machine(min(machine.memory_bytes for machine in machines), min(stores))

    def live(self, wanted: Mapping[LaneName, int], nodes: Iterable[Node]) -> Live:
        """How many trials of each lane can be alive at once, at least one each.

        What fits is counted on each machine for itself, the largest first. Where the trials of
        several lanes share the memory of a machine, the lane that takes most of it gets fewer.

        Args:
            wanted: how many of each lane should be alive, at least one each.
            nodes: the machines.
        """
        ordered = sorted(nodes, key=lambda node: node.ray_memory, reverse=True)
        sizes = {lane: self.reserved(lane) for lane in self.resources}
        most: dict[LaneName, int] = {}
        for lane, needs in self.resources.items():
            there = sum(number_on(node, needs, but=[_MEMORY]) for node in ordered)
            most[lane] = max(1, min(wanted[lane], self.trials[lane], there))
        left = dict(most)
        for node in ordered:
            fitting = {
                lane: min(number, number_on(node, self.resources[lane]))
                for lane, number in left.items()
            }
            for lane, number in shrunk(fitting, sizes, node.ray_memory).items():
                left[lane] -= number
        fitted = {lane: max(1, number - left[lane]) for lane, number in most.items()}
        return Live(fitted, sizes, most)


def placement_of(trials: Iterable[PlannedTrial], nodes: Sequence[Node]) -> Placement:
    """What is reserved for trials on the machines that a Ray has now.

    For each trial of a lane it is the memory of the largest one, because one process runs several
    of them. It is not more than the largest machine that can get them has, since Ray would wait for
    a larger one for ever.

    Args:
        trials: the trials that are left.
        nodes: the machines.
    """
    resources: dict[LaneName, Mapping[str, float]] = {}
    members = by_lane(trials)
    for lane, its_trials in members.items():
        # A CPU of 0 has to be said, because Ray reserves one where nothing is.
        needs = {"CPU": 1.0} if lane is None else {"CPU": 0.0}
        if lane is not None and any(node.slots(lane) for node in nodes):
            needs[resource_of(lane)] = 1.0
        needed = needed_bytes(its_trials)
        largest = largest_memory(nodes, needs) or needed
        resources[lane] = needs | {_MEMORY: float(min(needed, largest))}
    return Placement(resources, {lane: len(found) for lane, found in members.items()})
