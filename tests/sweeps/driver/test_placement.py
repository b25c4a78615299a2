"""What is reserved for trials on a Ray of unequal machines, and how many fit there."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.driver.placement import (
    PROCESS_BYTES,
    largest_memory,
    needed_bytes,
    number_on,
    placement_of,
)
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = """
name: t
datasets: [moons]
networks: [{hidden: 1}, {hidden: 4}]
objectives: [mle]
seeds: 6
"""
SIMULATED = make_plan(parse_spec(SPEC, "test")).trials
QUEUED = [replace(trial, lane="a") for trial in SIMULATED]
NEEDED = needed_bytes(SIMULATED)
PLENTY = {None: 100, "a": 100}


def node(name, memory, cpus=0, **lanes):
    resources = {"memory": float(memory), "object_store_memory": 2.0**26}
    resources |= {"CPU": float(cpus)} if cpus else {}
    return Node(name, name, resources | {f"lane:{lane}": float(n) for lane, n in lanes.items()})


def live(trials, nodes, wanted=PLENTY):
    return placement_of(trials, nodes).live(wanted, nodes).trials


def test_the_largest_trial_of_a_lane_and_its_process_are_reserved():
    placement = placement_of(SIMULATED, [node("w", 9 * NEEDED, 4)])
    assert placement.resources == {None: {"CPU": 1.0, "memory": float(NEEDED)}}
    assert PROCESS_BYTES + memory_of(trial.config for trial in SIMULATED).trial == NEEDED
    assert needed_bytes(SIMULATED[:1]) < NEEDED


def test_no_more_is_reserved_than_the_largest_machine_has_that_can_get_the_trials():
    head, small, large = node("h", 9 * NEEDED), node("s", 2**20, 4), node("l", 2**24, 1)
    assert placement_of(SIMULATED, [head, small, large]).resources[None]["memory"] == 2.0**24
    # Where none can get them yet, those that join must be large enough.
    assert placement_of(SIMULATED, [head]).resources[None]["memory"] == NEEDED


def test_trials_of_a_lane_need_its_resource_if_a_machine_has_it_and_memory_in_any_case():
    worker, gateway = node("w", 9 * NEEDED, 4), node("g", 2**24, a=6)
    bound = placement_of(QUEUED, [worker, gateway])
    assert bound.resources == {"a": {"CPU": 0.0, "lane:a": 1.0, "memory": 2.0**24}}
    assert bound.is_bound_to("a") and bound.room([worker, gateway], "a") == 1
    anywhere = placement_of(QUEUED, [worker])
    assert anywhere.resources == {"a": {"CPU": 0.0, "memory": float(NEEDED)}}
    assert not anywhere.is_bound_to("a") and anywhere.room([worker], "a") == 9


def test_each_machine_counts_with_what_fits_there():
    large, small = node("l", 9 * NEEDED, 4), node("s", NEEDED - 1, 8)
    # A small head, gateway or worker takes no slots away from the large worker, and adds none.
    assert live(SIMULATED, [large]) == live(SIMULATED, [large, small]) == {None: 4}
    assert live(SIMULATED, [large, small, node("g", 2**20, a=4)]) == {None: 4}
    assert live(SIMULATED, [large, node("m", 3 * NEEDED, 8)]) == {None: 7}
    assert live(SIMULATED, [node("m", 3 * NEEDED, 8)] * 2, {None: 5}) == {None: 5}
    assert live(SIMULATED, [small]) == {None: 1}


def test_what_memory_costs_is_told_from_what_machines_have():
    nodes = [node("w", 2 * NEEDED, 4), node("g", 9 * NEEDED, a=3)]
    found = placement_of([*SIMULATED, *QUEUED], nodes).live(PLENTY, nodes)
    assert found.wanted == {None: 4, "a": 3}
    assert found.trials == {None: 2, "a": 3}
    assert found.trial_bytes == {None: NEEDED, "a": NEEDED}


def test_only_machines_that_can_get_trials_say_what_there_is_room_for():
    worker, gateway = node("w", 9 * NEEDED, 4), node("g", 2**20)
    placement = placement_of(SIMULATED, [worker, gateway])
    assert placement.machine([worker, gateway]) == worker.machine
    assert placement.machine([gateway]) == gateway.machine


def test_a_resource_that_is_left_out_bounds_nothing():
    found = node("w", 10, 3)
    assert number_on(found, {"CPU": 1, "memory": 4}) == 2
    assert number_on(found, {"CPU": 1, "memory": 4}, but=["memory"]) == 3
    assert largest_memory([found], {"CPU": 4}) is None


MACHINES = st.builds(
    node, st.just("n"), st.integers(0, 6).map(lambda n: n * NEEDED), st.integers(0, 4)
)


@given(st.lists(MACHINES, min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 12))
def test_lanes_never_have_more_together_than_the_machines_have_memory_for(nodes, one, two):
    wanted = {None: one, "a": two}
    placement = placement_of([*SIMULATED, *QUEUED], nodes)
    found = placement.live(wanted, nodes)
    assert all(1 <= found.trials[lane] <= found.wanted[lane] <= wanted[lane] for lane in wanted)
    places = [(n.cpus, n.ray_memory // NEEDED) for n in nodes]
    assert found.trials[None] <= max(1, sum(min(place) for place in places))
    # A lane that has one trial may have nowhere to run it.
    fitting = sum(number for number in found.trials.values() if number > 1)
    assert fitting <= sum(memory for _, memory in places)
