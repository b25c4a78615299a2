"""Mistakes and notes about queued devices, their labels and their lanes."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from queued_examples import Oracle

from qhn.devices import DEVICES
from qhn.sweeps.config.devices import device_config
from qhn.sweeps.spec import InvalidSpecError, notes, parse_spec
from qhn.sweeps.spec.document import read_document
from qhn.sweeps.spec.schema import json_schema

HEAD = "name: x\ndatasets: moons\nnetworks: {hidden: 1}\nobjectives: mle\nseeds: 1\n"


@pytest.fixture(autouse=True)
def oracle(monkeypatch):
    monkeypatch.setitem(DEVICES, "oracle", Oracle)


def mistakes(rest):
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(HEAD + rest, "f.yaml")
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


ONE = "devices: [exact, {name: oracle, label: a}]\n"
TWO = "devices: [{name: oracle, label: a}, {name: oracle, shots: 7, label: b}]\n"


@pytest.mark.parametrize(
    ("rest", "lines"),
    [
        (ONE + "lanes: {q: {devices: c}}",
         ["line 7: lanes.q.devices: no device has the label c (labels: exact, a)"]),
        (ONE + "lanes: {q: {devices: [a, exact]}}",
         ["line 7: lanes.q.devices[1]: a lane is for devices with a queue, but exact has none; "
          "leave it out"]),
        (ONE + "lanes: {q: {devices: a}, p: {devices: [a]}}",
         ["line 7: lanes.p.devices[0]: a device must be in one lane, but a is in q too; leave it "
          "out in one of them"]),
        (TWO + "lanes: {q: {devices: [a, b]}}",
         ["line 7: lanes.q: the devices of a lane must share one queue, but these have 2 "
          "(oracle-a: a; oracle-b: b); give each queue a lane of its own"]),
        (TWO.replace("label", "region: eu, label") + "lanes: {q: {devices: a}, p: {devices: b}}",
         ["line 7: lanes.p: a queue must have one lane, but q is a lane of the queue oracle-eu "
          "too; put all its devices into one lane"]),
        (TWO.replace("label", "region: eu, label") + "lanes: {q: {devices: a}}",
         ["line 6: devices[1]: b is on the queue oracle-eu of the lane q, which does not name it; "
          "add it to the devices of the lane"]),
        (TWO.replace("label", "region: eu, label").replace("label: b", "plan: single, label: b")
         + "lanes: {q: {devices: [a, b]}}",
         ["line 7: lanes.q: devices that share a queue must have the same limits and prices, but a "
          "and b differ in plan; give both the same"]),
        (TWO.replace("label", "region: eu, label").replace("label: b", "plan: single, label: b"),
         ["line 6: devices[1]: devices that share a queue must have the same limits and prices, "
          "but a and b differ in plan; give both the same"]),
        ("devices: [oracle, {name: oracle, shots: 7, region: eu}]",
         ["line 6: devices[1]: two devices are called oracle and are reached in different ways; "
          "give one of them a label"]),
        ("devices: [{name: oracle, label: a}, {name: exact, label: a}]",
         ["line 6: devices[1].label: a label stands for one device, but a is what another one is "
          "called; choose another label"]),
        ("devices: [{name: oracle, label: a b}]",
         ["line 6: devices[0].label: must be letters, digits and '-', at most 40 of them, and not "
          "begin with '-', but got 'a b'"]),
        ("devices: [{name: oracle, region: eu, patiense: 3}]",
         ["line 6: devices[0].patiense: unknown key; did you mean patience? (known: estimator, "
          "label, name, patience, plan, region, shots)"]),
        ("devices: [{name: exact, region: eu}]",
         ["line 6: devices[0].region: exact takes no region, leave it out"]),
        ("devices: [{name: oracle, patience: -1}]",
         ["line 6: devices[0]: `patience >= 0` must hold, but got patience=-1"]),
        ("devices: [{name: oracle, plan: opn}]",
         ["line 6: devices[0].plan: must be one of open, paid, single, but got 'opn'; did you mean "
          "open?"]),
        ("devices: [{name: oracle, shots: 30000}]",
         ["line 6: devices[0]: a step must fit into one job of at most 1,000,000 executions, but "
          "37 circuits on 6 qubits with 30,000 shots each are 1,110,000; use at most 27,027 "
          "shots"]),
        (ONE + "lanes: {simulator: {devices: a}}",
         ["line 7: lanes.simulator: the lane of devices without a queue is called 'simulator' "
          "already; choose another name"]),
        (ONE + "lanes:\n  q: {devices: a, budget: {per: trial}}\n  p: {jobs: 3}\n"
         "  r: {devices: []}",
         ["line 8: lanes.q.budget: must limit shots, qpu_seconds or cost, but none of them is "
          "given; leave the budget out if nothing is limited",
          "line 9: lanes.p.devices: missing: labels of devices",
          "line 9: lanes.p.jobs: unknown key (known: budget, devices, jobs_in_flight, live_trials, "
          "prices, requests_per_job, submissions_per_minute, when_spent)",
          "line 10: lanes.r.devices: must not be empty"]),
        (ONE + "lanes: {q: {devices: a, jobs_in_flight: 0, budget: {cost: -1}, prices: {job: x}, "
         "when_spent: never}}",
         ["line 7: lanes.q.jobs_in_flight: must be at least 1, but got 0",
          "line 7: lanes.q.budget.cost: must be greater than 0, but got -1",
          "line 7: lanes.q.prices.job: must be a number, but got 'x'",
          "line 7: lanes.q.when_spent: must be one of finish, wait, but got 'never'"]),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(rest, lines):
    assert mistakes(rest) == lines


def test_a_mistake_in_a_device_is_no_mistake_of_the_lane_that_names_it():
    rest = "devices: [{name: oracle, label: a, shots: 0}]\nlanes: {q: {devices: a}}"
    assert mistakes(rest) == ["line 6: devices[0]: `shots >= 1` must hold, but got shots=0"]


def test_one_label_may_stand_for_several_settings_of_one_device():
    spec = parse_spec(
        HEAD + "devices: [{name: oracle, label: a}, {name: oracle, label: a, shots: 7}]\n"
        "lanes: {q: {devices: a}}"
    )
    assert [entry.config.shots for entry in spec.devices] == [100, 7]
    assert parse_spec(json.dumps(spec.content())) == spec


def test_what_decides_no_numbers_is_no_part_of_the_device():
    (entry,) = parse_spec(HEAD + "device: {name: oracle, shots: 7, plan: paid, label: a}").devices
    assert entry.config == device_config({"name": "oracle", "shots": 7})
    assert (entry.access.plan, entry.key) == ("paid", "a")
    assert parse_spec(HEAD + "device: 'oracle:7'").devices[0].config == entry.config


def test_notes():
    found = notes(
        HEAD + "devices: [{name: oracle, label: a}, {name: oracle, label: b}]\n"
        "lanes:\n"
        "  q: {devices: a, jobs_in_flight: 4, submissions_per_minute: 6, requests_per_job: 101,\n"
        "      when_spent: wait}\n"
        "  p: {devices: b, jobs_in_flight: 3, requests_per_job: 100}\n"
    )
    assert [str(note) for note in found] == [
        "line 6: devices[1]: b differs from a in nothing that decides numbers, so their trials "
        "are the same; they are trained once, on a",
        "line 8: lanes.q.jobs_in_flight: the provider is expected to refuse more than 3, and what "
        "it refuses is tried again later",
        "line 8: lanes.q.submissions_per_minute: the provider is expected to refuse more than 5, "
        "and what it refuses is tried again later",
        "line 8: lanes.q.requests_per_job: the provider takes at most 100 in a job, so that more "
        "never go out together",
        "line 9: lanes.q.when_spent: there is no budget, so when_spent changes nothing",
    ]
    assert [str(note) for note in notes(HEAD + "start_from: {device: exact}")] == [
        "line 6: start_from: only trials of devices with a queue start from others, and the file "
        "has no such device, so start_from changes nothing"
    ]


def test_the_schema_knows_settings_labels_and_lanes():
    validator = Draft202012Validator(json_schema())
    right = (
        "devices: [exact, 'oracle:3', {name: oracle, shots: 3, plan: paid, label: a}]\n"
        "lanes: {q: {devices: [a], jobs_in_flight: 3, budget: {cost: 1, per: trial},\n"
        "  prices: {job: 0.3}, when_spent: wait}, p: {devices: oracle}}\n"
        "start_from: {device: exact, steps: 20}"
    )
    assert list(validator.iter_errors(read_document(HEAD + right, "x").content)) == []
    parse_spec(HEAD + right)
    for wrong in (
        "devices: [{name: oracle, plan: free}]",
        "devices: [{name: exact, plan: paid}]",
        "devices: [{name: oracle, label: a b}]",
        "lanes: {q: {jobs_in_flight: 3}}",
        "lanes: {q: {devices: a, budget: {cost: 0}}}",
        "lanes: {a b: {devices: a}}",
        "start_from: {steps: 3}",
    ):
        assert not validator.is_valid(read_document(HEAD + wrong, "x").content), wrong
