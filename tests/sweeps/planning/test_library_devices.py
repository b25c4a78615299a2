"""Devices of PennyLane and Qiskit in sweep files: short forms, methods, queues and mistakes."""

from __future__ import annotations

import pytest

from qhn.core.errors import QhnError
from qhn.sweeps.config.devices import device_config
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec


def planned(devices, network="logistic"):
    text = f"name: a\ndatasets: [moons]\nnetworks: [{network}]\nobjectives: [mle]\nseeds: 1\n"
    return make_plan(parse_spec(f"{text}devices: {devices}\n"))


def mistake(devices, **changes):
    with pytest.raises(QhnError) as caught:
        planned(devices, **changes)
    return str(caught.value)


def test_short_forms_name_the_backend():
    trials = planned("['qiskit:FakeNairobiV2', 'pennylane:default.qubit', qiskit]").trials
    assert [trial.config.device.title for trial in trials] == [
        "qiskit backend=FakeNairobiV2 method=density_matrix",
        "pennylane device=default.qubit",
        "qiskit method=statevector",
    ]


def test_the_method_is_part_of_a_trial_whether_it_was_named_or_not():
    [named] = planned("[{name: qiskit, backend: FakeNairobiV2, method: density_matrix}]").trials
    [found] = planned("['qiskit:FakeNairobiV2']").trials
    [other] = planned("[{name: qiskit, backend: FakeNairobiV2, method: statevector}]").trials
    assert named.trial_id == found.trial_id != other.trial_id
    assert named.config.content()["device"]["method"] == "density_matrix"


def test_processors_have_a_lane_and_simulators_have_none():
    plan = planned(
        "[{name: qiskit, backend: ibm_torino, shots: 64, instance: mine, label: qpu}, qiskit, "
        "{name: qiskit, backend: ibm_fez, label: other}]"
    )
    assert [(lane.name, lane.labels) for lane in plan.lanes] == [
        ("qpu", ("qpu",)),
        ("other", ("other",)),
    ]
    assert plan.lanes[0].access["qpu"].processor == "ibm_torino"
    assert [trial.lane for trial in plan.trials] == ["qpu", None, "other"]
    # How a processor is reached decides no number.
    [alone] = planned("[{name: qiskit, backend: ibm_torino, shots: 64}]").trials
    assert alone.trial_id == plan.trials[0].trial_id


def test_notes_are_for_people():
    assert device_config({"name": "exact"}).notes(14) == ()
    assert "160 seconds" in device_config({"name": "qiskit", "backend": "FakeCairoV2"}).notes(14)[1]


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("['qiskit:Aer']", "a qiskit backend must be aer, a fake backend such as"),
        ("[{name: qiskit, shots: -3}]", "`shots >= 1` must hold, but got shots=-3"),
        ("[{name: qiskit, noise: {p1: 1.5, p2: 0}}]", "noise.p1: must be at most 1, but got 1.5"),
        ("[{name: qiskit, backend: FakeCairoV2, noise: 0.1}]", "has the noise of its processor"),
        ("[{name: qiskit, backend: aer, instance: mine}]", "instance says how a queue is reached"),
        ("[{name: qiskit, backend: ibm_torino, processor: x}]", "processor: unknown key"),
        (
            "[{name: qiskit, backend: ibm_torino, plan: free}]",
            "plan: must be one of open, pay-as-you-go",
        ),
        (
            "['qiskit:ibm_torino', 'qiskit:ibm_fez']",
            "two devices are called qiskit and are reached in different ways; give one of them a",
        ),
        (
            "['pennylane:default.tensor', {name: pennylane, device: default.tensor, shots: 3}]",
            "can",
        ),
        ("[{name: pennylane, device: qiskit.remote}]", "only samples, so that it needs shots"),
    ],
)
def test_mistakes_are_found_without_the_libraries(devices, message):
    assert message in mistake(devices)


def test_too_many_qubits_for_a_method_are_found_when_planned():
    message = mistake("[{name: qiskit, method: density_matrix}]", network="{kind: mlp, hidden: 3}")
    assert "at most 13 qubits" in message and "has 14" in message
