"""Devices of PennyLane and Qiskit in sweep files: short forms, methods, queues and mistakes."""

from __future__ import annotations

import pytest

from qhn.core.errors import QhnError
from qhn.sweeps.config.devices import device_config
from qhn.sweeps.planning import cost
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import training_bytes
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.planning.preflight import preflight
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


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("'qiskit:FakeNairobi'", "devices[1]: a fake backend must be one that"),
        (
            "'qiskit:FakeNairobiV2'",
            "devices[1]: a circuit must fit on its backend, but FakeNairobi",
        ),
        ("'pennylane:dream.qubit'", "devices[1]: a pennylane device must be installed, but got"),
        (
            "{name: pennylane, device: qiskit.remote, backend: FakeNairobiV2, shots: 3}",
            "devices[1]: a circuit must fit on its backend, but FakeNairobiV2 has 7 qubits",
        ),
    ],
)
def test_what_only_the_libraries_know_is_found_before_anything_starts(device, message):
    text = (
        "name: a\ndatasets: [moons]\nnetworks: [{kind: mlp, hidden: 3}]\nobjectives: [mle]\n"
        f"seeds: 2\ndevices:\n  - qiskit\n  - {device}\n"
    )
    trials = make_plan(parse_spec(text)).trials
    with pytest.raises(QhnError) as caught:
        preflight(trials, Machine(2**40), text, "file.yaml")
    assert "has 1 mistake" in str(caught.value)
    assert f"line 8: {message}" in str(caught.value)
    good = [trial for trial in trials if trial.config.device.title.startswith("qiskit method")]
    assert len(preflight(good, Machine(2**40), text, "file.yaml")) == 2


def test_the_memory_of_density_matrices_counts():
    [small, large] = planned("[qiskit, {name: qiskit, noise: 0.1, method: density_matrix}]").trials
    assert large.config.device.own_bytes(10) - small.config.device.own_bytes(10) > 2**24
    assert device_config({"name": "exact"}).own_bytes(10) == 0


def test_a_library_that_simulates_noise_takes_no_memory_for_our_errors():
    """Our engine keeps the errors of each shot; Aer simulates one shot after another."""
    devices = [
        f"{{name: {name}, shots: 100000{noise}}}"
        for name in ("exact", "qiskit, method: statevector")
        for noise in ("", ", noise: 0.1")
    ]
    ours, noisy, aer, noisy_aer = (
        training_bytes(config.dataset, config.network, config.ansatz, 64, config.device)
        for config in (trial.config for trial in planned(f"[{', '.join(devices)}]").trials)
    )
    assert noisy > 1.5 * ours
    assert noisy_aer == aer


def test_noisy_simulations_count_by_their_method():
    devices = (
        "[{name: qiskit}, {name: qiskit, noise: 0.1, method: statevector}, "
        "{name: qiskit, noise: 0.1}, {name: qiskit, noise: 0.1, shots: 2048}, "
        "'qiskit:FakeNairobiV2']"
    )
    plain, by_shot, dense, more, fake = (
        trial.config.device.simulations(2, 3, trial.config.device.capabilities.shots)
        for trial in planned(devices).trials
    )
    assert (plain, by_shot) == (1, 1024)
    # A density matrix of three qubits is as large as eight states.
    assert dense == more == fake == 8


def test_of_noisy_simulations_fewer_shots_are_timed_only_where_each_takes_its_time():
    def timed(method, shots):
        device = f"{{name: qiskit, noise: 0.01, method: {method}, shots: {shots}}}"
        [trial] = planned(f"[{device}]", network="{kind: mlp, hidden: 2}").trials
        return cost._small(trial.config).device.shots

    assert timed("density_matrix", 1000) == 1000
    # 61 circuits of two layers on 10 qubits.
    assert timed("statevector", 1000) == 2**26 // (61 * 2 << 10) < 1000


def test_too_many_qubits_for_a_method_are_found_when_planned():
    message = mistake("[{name: qiskit, method: density_matrix}]", network="{kind: mlp, hidden: 3}")
    assert "at most 13 qubits" in message and "has 14" in message


def test_the_time_of_one_simulator_says_nothing_about_another(monkeypatch):
    times = {"qiskit": 2.0, "exact": 0.001}
    timed = []

    def measure(config, budget_s):
        timed.append(config.device.title)
        return cost.Rate(times[config.device.name], 0.0)

    monkeypatch.setattr(cost, "measure", measure)
    trials = planned("[{name: exact, shots: 9}, {name: exact, shots: 18}, qiskit]").trials
    found = cost.estimate([trial.config for trial in trials], budget_s=0.0)
    # One class of each simulator is timed, although there is no time.
    assert timed == ["exact shots=9", "qiskit method=statevector"]
    steps = trials[0].config.training.steps
    assert 2.002 * steps < found.training_seconds < 2.01 * steps
