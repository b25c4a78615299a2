"""Where the process runs that makes the loss tables, on a Ray that is not ours.

Ray would start it on any machine, also on a small one, or on a gateway that trains nothing. It
belongs where simulated trials run, and the memory in which tables are made is reserved there. But
it must never wait for resources itself: trials that have all of them wait for their tables. So the
process asks Ray for none. A placement group reserves the memory in its place, if there is enough.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.driver.placement import Placement, number_on
from qhn.sweeps.planning.memory import problem_of, shared_bytes
from qhn.sweeps.planning.plan import PlannedTrial

#: Less than this is not reserved. Ray leaves a machine more than that, and a reservation could cost
#: the place of a whole trial.
LEAST_BYTES = 256 * 2**20
# Ray answers within milliseconds if the memory is free.
_PATIENCE_S = 1.0
# Ray's own label of each machine.
_NODE = "ray.io/node-id"


def tables_at_once(nodes: Iterable[Node], placement: Placement, simulated: int) -> int:
    """How many tables may be made at the same time: one for each core of a machine.

    Args:
        nodes: the machines.
        placement: what is reserved for trials.
        simulated: how many simulated trials run at once on all machines.
    """
    return min(simulated, max((node.cpus for node in _workers(nodes, placement)), default=1))


def making_bytes(trials: Iterable[PlannedTrial], at_once: int) -> int:
    """The memory that is needed to make tables, at most, in bytes. When made, they are elsewhere.

    Args:
        trials: the trials that are left.
        at_once: how many tables may be made at the same time.
    """
    problems = {problem_of(trial.config) for trial in trials}
    return sum(heapq.nlargest(at_once, (shared_bytes(*problem) for problem in problems)))


def with_room(nodes: Iterable[Node], placement: Placement, needed: int) -> list[Node]:
    """The machines that run simulated trials and have memory for the tables as well.

    Beside the tables there is room for a trial of each lane that is killed for want of memory, and
    then reserves twice as much.

    Args:
        nodes: the machines.
        placement: what is reserved for trials.
        needed: the memory for the tables, in bytes.
    """

    def beside(node: Node) -> int:
        sizes = {lane: placement.reserved(lane) for lane in placement.resources}
        fitting = [s for lane, s in sizes.items() if number_on(node, placement.resources[lane])]
        return 2 * max(fitting, default=0)

    workers = _workers(nodes, placement)
    return [node for node in workers if node.ray_memory >= needed + beside(node)]


def choices(
    nodes: Sequence[Node], placement: Placement, roomy: Iterable[Node], reserved: str | None
) -> list[dict[str, str]]:
    """Conditions on the machine, as selectors of Ray's labels. Ray takes the first that it can.

    Args:
        nodes: the machines.
        placement: what is reserved for trials.
        roomy: the machines of `with_room`.
        reserved: Ray's id of the machine on which memory is reserved; None if there is none.
    """
    found = [] if reserved is None else [{_NODE: reserved}]
    if names := [node.id for node in roomy]:
        found.append({_NODE: f"in({','.join(names)})"})
    # Machines that join later are as good.
    workers = {node.id for node in _workers(nodes, placement)}
    others = [node.id for node in nodes if node.id not in workers]
    found.append({_NODE: f"!in({','.join(others)})"} if others else {})
    # If only simulated trials are left, nothing waits as long as no machine can run them.
    if others and placement.resources.keys() != {None}:
        found.append({})
    return found


def place_tables(
    trials: Iterable[PlannedTrial], nodes: Sequence[Node], placement: Placement, at_once: int
) -> Mapping[str, Any]:
    """Reserve memory for the tables if there is enough now, and say where their process starts.

    Ray gives the memory back when this process disconnects.

    Args:
        trials: the trials that are left.
        nodes: the machines of the Ray to which this process is connected.
        placement: what is reserved for trials.
        at_once: how many tables may be made at the same time.

    Returns:
        Options for the Ray actor.
    """
    needed = making_bytes(trials, at_once)
    roomy = with_room(nodes, placement, needed)
    reserved = _reserve(needed, roomy) if roomy and needed >= LEAST_BYTES else None
    first, *others = choices(nodes, placement, roomy, reserved)
    return {
        "label_selector": first,
        "fallback_strategy": [{"label_selector": selector} for selector in others],
    }


def _reserve(needed: int, roomy: Iterable[Node]) -> str | None:
    """Reserve memory on one of these machines; Ray's id of it, or None if it is not free."""
    from ray.util.placement_group import (
        placement_group,
        placement_group_table,
        remove_placement_group,
    )

    names = ",".join(node.id for node in roomy)
    group = placement_group([{"memory": needed}], bundle_label_selector=[{_NODE: f"in({names})"}])
    if not group.wait(_PATIENCE_S):
        remove_placement_group(group)
        return None
    return str(placement_group_table(group)["bundles_to_node_id"][0])


def _workers(nodes: Iterable[Node], placement: Placement) -> list[Node]:
    """The machines that run simulated trials, or could if there were any left."""
    needs = placement.resources.get(None, {"CPU": 1.0})
    return [node for node in nodes if number_on(node, needs)]
