"""Judges whether the machines of a Ray are enough for a sweep. All functions are pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qhn.sweeps.driver.lane import resource_of
from qhn.sweeps.driver.live import LaneName, by_lane
from qhn.sweeps.driver.placement import Placement, number_on, placement_of
from qhn.sweeps.driver.probing import Asked
from qhn.sweeps.planning.lanes import PlannedLane
from qhn.sweeps.planning.machine import Machine, size_text
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.planning.preflight import lacking
from qhn.sweeps.trial.findings import Finding

#: Says what of some trials a machine cannot hold.
Lacking = Callable[[Machine], list[str]]


def about_room(asked: Sequence[Asked], plan: Plan, whole: str) -> list[Finding]:
    """Findings about CPUs, lanes and memory.

    Args:
        asked: the machines.
        plan: the plan of the sweep.
        whole: the name of the whole Ray for people.
    """
    simulated = any(trial.lane is None for trial in plan.trials)
    found = _about_cpus(asked, whole, needed=simulated)
    found += [_about_lane(asked, lane, whole) for lane in plan.lanes]
    lacks = {lane: lacking(trials) for lane, trials in by_lane(plan.trials).items()}
    placement = placement_of(plan.trials, [one.node for one in asked])
    # Where no machine has the resource of a lane, Ray places its trials by their memory.
    anywhere = [
        lane.name for lane in plan.lanes if not any(one.node.slots(lane.name) for one in asked)
    ]
    for one in asked:
        may_get = [
            name
            for name in lacks
            if name not in anywhere and (one.node.cpus if name is None else one.node.slots(name))
        ]
        gets = [name for name in may_get if number_on(one.node, placement.resources[name])]
        if may_get and not gets:
            found.append(_without_trials(one, placement, may_get))
        else:
            found.append(_about_memory(one, [lacks[name] for name in gets]))
    for name in anywhere:
        reasons = [lacks[name](_machine(one)) for one in asked]
        if asked and all(reasons):
            text = f"a machine must have enough of it for lane {name}, but {reasons[0][0]}"
            found.append(Finding(whole, "memory", "wrong", text))
    return found


def _about_cpus(asked: Sequence[Asked], whole: str, *, needed: bool) -> list[Finding]:
    found = []
    for one in asked:
        there = None if one.answer is None else one.answer["cpus"]
        if there is not None and one.node.cpus > there:
            text = (
                f"Ray runs {one.node.cpus} simulated trials there at once, but has {there} cores "
                f"for them; start its Ray with --num-cpus={there}"
            )
            found.append(Finding(one.node.name, "cpus", "warning", text))
        else:
            text = f"Ray runs {one.node.cpus} simulated trials there at once"
            found.append(Finding(one.node.name, "cpus", "fine", text))
    if needed and not any(one.node.cpus for one in asked):
        # An autoscaler may start them when trials ask for them.
        text = (
            "no machine has a CPU, so simulated trials wait until one joins: "
            "`ray start --address=HOST:PORT --num-cpus=N`"
        )
        found.append(Finding(whole, "cpus", "warning", text))
    return found


def _about_lane(asked: Sequence[Asked], lane: PlannedLane, whole: str) -> Finding:
    resource = resource_of(lane.name)
    there = sum(one.node.slots(lane.name) for one in asked)
    what, wanted = f"lane {lane.name}", lane.live_trials
    how = f"""--resources='{{"{resource}": {wanted}}}'"""
    if not there:
        return Finding(
            whole,
            what,
            "warning",
            f"no machine has the resource {resource}, so its trials may run on every machine; to "
            f"have them on one that reaches the processor, start its Ray with {how}",
        )
    if there < wanted:
        return Finding(
            whole,
            what,
            "warning",
            f"{there} of its trials live at once and not {wanted}, since the machines have only "
            f"so much of {resource}; start their Ray with {how}",
        )
    return Finding(whole, what, "fine", f"{there} of {resource}, for {wanted} trials at once")


def _without_trials(one: Asked, placement: Placement, lanes: Sequence[LaneName]) -> Finding:
    least = min(placement.reserved(lane) for lane in lanes)
    text = (
        f"it gets no trials of this sweep, because Ray reserves {size_text(least)} for each of "
        f"them and has {size_text(one.node.ray_memory)} for processes there; to have some run "
        "there, start its Ray with more --memory"
    )
    return Finding(one.node.name, "memory", "warning", text)


def _about_memory(one: Asked, mine: Sequence[Lacking]) -> Finding:
    machine, name = _machine(one), one.node.name
    size = f"{size_text(machine.memory_bytes)} for trials and their tables"
    if not mine:
        return Finding(name, "memory", "fine", f"{size}; it gets no trials of this sweep")
    # Lanes differ in devices, and what is shared would be said for each of them.
    reasons = list(dict.fromkeys(reason for lack in mine for reason in lack(machine)))
    if reasons:
        text = (
            f"it must hold the largest of the trials that it may get, but {'; '.join(reasons)}, "
            "or start its Ray with more --memory, or without CPUs and lanes"
        )
        return Finding(name, "memory", "wrong", text)
    return Finding(name, "memory", "fine", size)


def _machine(one: Asked) -> Machine:
    """What Ray was told of a machine's memory, or less if the machine has less."""
    told = one.node.machine
    there = None if one.answer is None else one.answer["memory"]
    if there is None or there >= told.memory_bytes:
        return told
    return Machine(there, told.object_store_bytes)
