"""Looks at the machines that are to run a sweep: by ``qhn doctor``, and at every attached start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qhn.core.errors import RayError, StoreError
from qhn.lanes import Limits
from qhn.sweeps.driver.cluster_verdicts import about_room
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.driver.node_verdicts import about_node
from qhn.sweeps.driver.nodes import Node, nodes_of
from qhn.sweeps.driver.probing import Asked, ask_here, ask_nodes
from qhn.sweeps.planning.machine import Machine, this_machine
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.store import Store
from qhn.sweeps.trial.findings import Finding, lines
from qhn.sweeps.trial.probe import packages

_HERE = "this machine"
# More memory than any machine has.
_UNKNOWN = Machine(2**62)


def machines_there() -> list[Node]:
    """The machines of the Ray to which this process is connected."""
    import ray

    return nodes_of(ray.nodes())


def largest(nodes: Iterable[Node]) -> Machine:
    """The memory of the largest machine that gets trials. What does not fit there fits nowhere.

    A head often has neither CPUs nor the resource of a lane. If that is so of all machines, an
    autoscaler may still start others, of which nothing is known, so that nothing is too large.
    """
    able = [node.machine for node in nodes if node.takes_trials]
    return max(able, key=lambda machine: machine.memory_bytes, default=_UNKNOWN)


def check_cluster(
    nodes: Sequence[Node], address: str, store: Store, plan: Plan | None
) -> list[Finding]:
    """Look at all machines of the Ray to which this process is connected.

    Args:
        nodes: its machines.
        address: the address of its head.
        store: the store of the sweep.
        plan: the plan of the sweep; None if there is none yet.
    """
    try:
        asked = ask_nodes(nodes, store)
    except StoreError as error:
        return [_unwritable(error)]
    found = _judged(asked, store, plan)
    return found + (about_room(asked, plan, f"the Ray at {address}") if plan is not None else [])


def check_here(store: Store, plan: Plan | None) -> list[Finding]:
    """Look at this machine, on which a sweep would start a Ray of its own."""
    machine = this_machine()
    objects = machine.object_store_bytes or 0
    resources = {
        "CPU": available_cpus(),
        "memory": machine.memory_bytes - objects,
        "object_store_memory": objects,
    }
    if plan is not None:
        # A Ray of its own gets as much of each lane's resource as the lane needs.
        resources |= {f"lane:{lane.name}": lane.live_trials for lane in plan.lanes}
    try:
        asked = [ask_here(store, Node("here", _HERE, resources))]
    except StoreError as error:
        return [_unwritable(error)]
    return _judged(asked, store, plan) + ([] if plan is None else about_room(asked, plan, _HERE))


def refuse_wrong(findings: Iterable[Finding], address: str) -> list[str]:
    """End a start if something is wrong.

    Returns:
        Notes for people about what is not as it should be, but may pass.

    Raises:
        RayError: if something is wrong. The message lists all of it.
    """
    found = list(findings)
    if wrong := lines(found, "wrong"):
        raise RayError(
            f"the Ray at {address} must be fit for the sweep, but is not, so nothing was started:\n"
            + "\n".join(f"  {line}" for line in wrong)
        )
    return lines(found, "warning")


def _judged(asked: Sequence[Asked], store: Store, plan: Plan | None) -> list[Finding]:
    versions, code, _ = packages()
    terms = [Limits().term_s, *(lane.limits.term_s for lane in plan.lanes)] if plan else []
    term = min(terms, default=Limits().term_s)
    return [
        finding for one in asked for finding in about_node(one, versions, code, store.shown, term)
    ]


def _unwritable(error: StoreError) -> Finding:
    return Finding(_HERE, "store", "wrong", str(error))
