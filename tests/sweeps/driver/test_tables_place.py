"""On which machine of a Ray loss tables are made."""

from dataclasses import replace

from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.driver.placement import needed_bytes, placement_of
from qhn.sweeps.driver.tables_place import choices, making_bytes, tables_at_once, with_room
from qhn.sweeps.planning.memory import problem_of, shared_bytes
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = """
name: t
datasets: [moons, ring]
networks: [{hidden: 1}, {hidden: 4}]
objectives: [mle]
seeds: 2
"""
TRIALS = make_plan(parse_spec(SPEC, "test")).trials
QUEUED = [replace(trial, lane="a") for trial in TRIALS]
NEEDED = needed_bytes(TRIALS)
LARGEST = max(shared_bytes(*problem_of(trial.config)) for trial in TRIALS)
NODE = "ray.io/node-id"


def node(name, memory, cpus=0, **lanes):
    resources = {"memory": float(memory), "CPU": float(cpus)}
    return Node(name, name, resources | {f"lane:{lane}": float(n) for lane, n in lanes.items()})


HEAD, GATEWAY = node("head", 9 * NEEDED), node("gateway", 9 * NEEDED, a=4)
SMALL, LARGE = node("small", NEEDED - 1, 8), node("large", 9 * NEEDED, 2)
ALL = (HEAD, GATEWAY, SMALL, LARGE)


def chosen(trials, nodes, needed=0, reserved=None):
    placement = placement_of(trials, nodes)
    return choices(nodes, placement, with_room(nodes, placement, needed), reserved)


def test_tables_are_made_where_simulated_trials_run():
    assert chosen(TRIALS, ALL) == [{NODE: "in(large)"}, {NODE: "!in(head,gateway,small)"}]
    # The reserved machine comes first, and another one if that is lost.
    assert chosen(TRIALS, ALL, reserved="large")[0] == {NODE: "large"}
    assert chosen(TRIALS, [LARGE]) == [{NODE: "in(large)"}, {}]


def test_tables_never_wait_while_a_trial_could_run():
    # Trials on processors may need tables where no simulated trial can run.
    assert chosen([*TRIALS, *QUEUED], ALL)[-1] == {}
    assert chosen(QUEUED, [HEAD, GATEWAY]) == [{NODE: "!in(head,gateway)"}, {}]
    assert chosen(TRIALS, [HEAD]) == [{NODE: "!in(head)"}]


def test_machines_for_tables_keep_room_for_a_trial_that_was_killed_for_want_of_memory():
    placement = placement_of(TRIALS, ALL)
    assert with_room(ALL, placement, 7 * NEEDED) == [LARGE]
    assert with_room(ALL, placement, 7 * NEEDED + 1) == []
    # Where nobody has room, a machine on which trials run is taken all the same.
    assert chosen(TRIALS, ALL, 9 * NEEDED) == [{NODE: "!in(head,gateway,small)"}]
    # A machine whose whole memory a trial reserves has no room for more.
    only = [node("w", NEEDED // 2, 1)]
    assert with_room(only, placement_of(TRIALS, only), 1) == []


def test_as_many_tables_are_made_at_once_as_one_machine_has_cores():
    assert tables_at_once(ALL, placement_of(TRIALS, ALL), 50) == 2
    assert tables_at_once([HEAD], placement_of(TRIALS, [HEAD]), 50) == 1
    assert making_bytes(TRIALS, 1) == LARGEST
    assert LARGEST < making_bytes(TRIALS, 2) < making_bytes(TRIALS, 4) == making_bytes(TRIALS, 9)
