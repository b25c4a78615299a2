"""What is said of a machine's answer, its lanes, CPUs and memory; and how a start is refused."""

from dataclasses import replace

import pytest

from qhn.core.errors import RayError
from qhn.sweeps.driver import checkup, node_tasks
from qhn.sweeps.driver.cluster_checkup import largest, refuse_wrong
from qhn.sweeps.driver.cluster_verdicts import about_room
from qhn.sweeps.driver.node_verdicts import LITTLE, NOTHING, about_node
from qhn.sweeps.driver.nodes import Node, nodes_of
from qhn.sweeps.driver.probing import Asked, Skew
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.trial.device_check import Opening
from qhn.sweeps.trial.findings import Finding

GIB = 2**30
VERSIONS = {"python": "3.11", "ray": "2.60.0", "numpy": "2.4", "numba": "0.68", "qhn": "1.2"}
ROOMY = {"folder": "/tmp/ray", "free": 50 * GIB, "why": ""}
ANSWER = {
    "versions": VERSIONS,
    "code": "abc",
    "trouble": "",
    "cpus": 4,
    "memory": 8 * GIB,
    "temporary": ROOMY,
    "store": {"state": "same", "why": "", "disk": {**ROOMY, "folder": "/data"}},
    "begin": 0.0,
    "end": 1.0,
}
RESOURCES = {"CPU": 4.0, "memory": 6.0 * GIB, "object_store_memory": 2.0 * GIB}
NODE = Node("n1", "worker-1 (10.0.0.7)", RESOURCES)
GOOD = Asked(NODE, ANSWER, read_back=True, skew=Skew(0.01, 0.02))
SPEC = """
{name: x, datasets: [moons], objectives: [mle], seeds: 2, networks: [{hidden: %d}],
 devices: [exact, {name: rehearsal, shots: 16, label: qpu}], lanes: {qpu: {devices: [qpu]}}}
"""


def judge(asked):
    return about_node(asked, VERSIONS, "abc", "s3://bucket/sweeps", 60.0)


def answered(**changes):
    return replace(GOOD, answer={**ANSWER, **changes})


def with_store(state, why="", **changes):
    return replace(answered(store={"state": state, "why": why, "disk": None}), **changes)


def test_a_machine_that_is_as_it_should_be_has_only_fine_findings():
    findings = judge(GOOD)
    assert {finding.verdict for finding in findings} == {"fine"}
    assert [finding.what for finding in findings] == ["versions", "store", "disk", "disk", "clock"]
    assert {finding.where for finding in findings} == {"worker-1 (10.0.0.7)"}


@pytest.mark.parametrize(
    ("asked", "what", "text"),
    [
        (
            answered(versions={**VERSIONS, "numpy": "1.26", "numba": None}),
            "versions",
            "NumPy 2.4, Numba 0.68, but has NumPy 1.26, no Numba; install those of the driver",
        ),
        (
            answered(trouble="ModuleNotFoundError: No module named 'qhn'"),
            "versions",
            r"must have qhn 1.2, but cannot import it \(ModuleNotFoundError: No module",
        ),
        (answered(code="xyz"), "versions", "must be the same code as that of the driver, but is"),
        (with_store("other"), "store", "s3://bucket/sweeps is another one there, or none; name a"),
        (with_store("same", read_back=False), "store", "must come to the driver, but does not"),
        (with_store("failed", "no credentials"), "store", "write s3://.*, but: no credentials"),
        (with_store("slow"), "store", "must answer there within 10 s, but does not"),
        (
            answered(temporary={**ROOMY, "free": 0, "why": "No space left on device"}),
            "disk",
            "Ray's files must find room in /tmp/ray, but writing .* No space left.*--temp-dir",
        ),
        (
            answered(temporary={**ROOMY, "free": NOTHING - 1}),
            "disk",
            "Ray's files must find room in /tmp/ray, but 100 MiB are free there",
        ),
        (
            answered(store={**ANSWER["store"], "disk": {**ROOMY, "free": 0}}),
            "disk",
            "the store must find room in .* but 0 bytes are free.*--store",
        ),
        (replace(GOOD, skew=Skew(-70.0, 0.5)), "clock", "less than 60 s, .* but is 70.00 s behind"),
        (Asked(NODE, why="it has not answered within 30 s"), "answer", "not answered within 30 s"),
    ],
)
def test_what_is_wrong_with_a_machine_is_one_finding(asked, what, text):
    (found,) = [finding for finding in judge(asked) if finding.verdict != "fine"]
    assert (found.what, found.verdict) == (what, "wrong")
    with pytest.raises(RayError, match=text):
        refuse_wrong([found], "10.0.0.1:6379")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (replace(GOOD, skew=Skew(1.5, 0.1)), "1.50 s ahead of that of the driver"),
        (answered(temporary={**ROOMY, "free": LITTLE - 1}), "MiB are free for Ray's files"),
        (Asked(NODE, why="killed", gone=True), "has left the Ray"),
    ],
)
def test_what_may_pass_is_a_note(asked, text):
    (found,) = [finding for finding in judge(asked) if finding.verdict != "fine"]
    assert found.verdict == "warning" and text in found.text
    (note,) = refuse_wrong(judge(asked), "auto")
    assert note.startswith("worker-1 (10.0.0.7): ")


def test_a_clock_is_doubted_only_as_far_as_it_was_measured():
    """A machine that took four seconds to answer may have any clock within two of them."""
    assert all(finding.verdict == "fine" for finding in judge(replace(GOOD, skew=Skew(2.5, 2.0))))


def test_a_refusal_lists_everything_that_is_wrong():
    found = [Finding(f"w{i}", "store", "wrong", "it is not; mend it") for i in range(3)]
    with pytest.raises(RayError) as caught:
        refuse_wrong([*found, Finding("w3", "disk", "fine", "good")], "10.0.0.1:6379")
    head, *lines = str(caught.value).splitlines()
    assert "nothing was started" in head
    assert lines == [f"  w{i}: store: it is not; mend it" for i in range(3)]


def room(*nodes, hidden=1):
    plan = make_plan(parse_spec(SPEC % hidden, "test"))
    asked = [Asked(node, ANSWER) for node in nodes]
    return [f for f in about_room(asked, plan, "the Ray") if f.verdict != "fine"]


def node(name, cpus=0, gib=8, lane=0):
    sizes = {"memory": 0.75 * gib * GIB, "object_store_memory": 0.25 * gib * GIB}
    resources = {"CPU": float(cpus), "lane:qpu": float(lane), **sizes}
    return Node(name, name, {k: v for k, v in resources.items() if v})


def test_a_small_machine_is_wrong_only_if_no_other_one_can_hold_the_trials():
    gateway = node("gateway", lane=24, gib=0.25)
    assert room(node("big", 4), gateway) == []
    # With five hidden units the trials of the lane have 22 qubits, too.
    (found,) = room(node("big", 4), gateway, hidden=5)
    assert (found.where, found.what, found.verdict) == ("gateway", "memory", "wrong")
    assert "it must hold the largest of the trials that it may get, but mlp with" in found.text
    # Where another machine can, Ray places none on the small one.
    (found,) = room(node("big", 4), node("small", 1, gib=0.25), node("g", lane=24), hidden=5)
    assert (found.where, found.what, found.verdict) == ("small", "memory", "warning")
    assert "it gets no trials of this sweep" in found.text and "192 MiB for processes" in found.text
    assert room(node("big", 4), node("idle", gib=0.1), node("g", lane=24), hidden=5) == []


def test_a_machine_with_less_memory_than_ray_was_told_counts_with_what_it_has():
    plan = make_plan(parse_spec(SPEC % 5, "test"))
    asked = Asked(node("boasting", 4, lane=24), {**ANSWER, "memory": GIB // 4})
    assert "wrong" in {
        f.verdict for f in about_room([asked], plan, "the Ray") if f.what == "memory"
    }


def test_missing_resources_are_named_with_the_command_that_gives_them():
    (cpus,) = room(node("g", lane=24))
    assert (cpus.what, cpus.verdict) == ("cpus", "warning") and "--num-cpus=N" in cpus.text
    (lane,) = room(node("w", 4))
    assert lane.verdict == "warning" and """--resources='{"lane:qpu": 24}'""" in lane.text
    (lane,) = room(node("w", 4), node("g", lane=2))
    assert "2 of its trials live at once and not 24" in lane.text
    (cores,) = room(node("w", 9, lane=24))
    assert cores.verdict == "warning" and "--num-cpus=4" in cores.text


def test_a_lane_that_may_run_anywhere_needs_memory_somewhere():
    found = room(node("small", 4, gib=0.25), hidden=5)
    assert [(f.where, f.what, f.verdict) for f in found if f.verdict == "wrong"] == [
        ("small", "memory", "wrong"),
        ("the Ray", "memory", "wrong"),
    ]


def test_machines_are_named_by_host_and_told_apart_by_their_id():
    def listed(number, host, alive=True):
        return {
            "NodeID": f"{number}" * 56,
            "Alive": alive,
            "NodeManagerHostname": host,
            "NodeManagerAddress": "10.0.0.7",
            "Resources": RESOURCES,
        }

    nodes = nodes_of([listed(1, "a"), listed(2, "b"), listed(3, "b"), listed(4, "b", alive=False)])
    names = ["a (10.0.0.7)", "b (10.0.0.7) 22222222", "b (10.0.0.7) 33333333"]
    assert [found.name for found in nodes] == names
    assert largest(nodes).memory_bytes == 8 * GIB


def test_what_a_head_without_trials_cannot_hold_is_not_too_large():
    head, gateway = node("head", gib=0.25), node("gateway", lane=2, gib=1)
    assert largest([head]).memory_bytes > 2**60
    assert largest([head, gateway]) == gateway.machine


@pytest.mark.parametrize(
    "why",
    [
        "The node specified via a strategy doesn't exist any more or is infeasible",
        "Task failed because the node it was running on is dead or unavailable. Node IP: 10.0.0.7",
    ],
)
def test_a_machine_that_ray_still_lists_but_cannot_reach_has_left(monkeypatch, why):
    monkeypatch.setattr("ray.nodes", lambda: [{"NodeID": i, "Alive": True} for i in "ab"])
    slow = "it has not answered within 30 s"
    assert node_tasks.have_left({"a": why, "b": slow, "c": slow}) == {"a", "c"}
    # What it says of a device is no reason to start nothing: another machine may have it.
    monkeypatch.setattr(checkup, "on_each", lambda *asked: ({}, {"a": why, "b": "no account"}))
    openings = {node: [Opening("qpu", None, None)] for node in "ab"}
    found = checkup._look_there(openings, {"a": "gone", "b": "there"}, run_job=False)
    assert [(one.where, one.verdict) for one in found] == [
        ("qpu on gone", "warning"),
        ("qpu on there", "wrong"),
    ]
    assert found[1].text == "no account"
