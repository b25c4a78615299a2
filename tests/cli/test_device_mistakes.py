"""Mistakes about devices and lanes at the terminal: one clear message each, and nothing starts."""

from __future__ import annotations

import pytest

FILE = """\
name: wrong
datasets: moons
networks: {hidden: 1}
objectives: %(objectives)s
devices: [exact, %(device)s]
seeds: 2
training: {steps: 5}
%(more)s
"""
REHEARSAL = "{name: rehearsal, label: qpu-a}"


def refused(qhn, command, device=REHEARSAL, objectives="mle", more="", file=FILE):
    path = qhn.write(file % {"device": device, "objectives": objectives, "more": more})
    output = qhn("sweep", command, path, code=2)
    assert not qhn.root.exists()
    assert "Traceback" not in output
    _, _, error = output.partition("error: ")
    assert error.startswith(f"{path} has 1 mistake:\n"), output
    return " ".join(error.split())


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("{name: quantinuum}", ["devices[1]", "'quantinuum'", "rehearsal"]),
        ("exakt", ["devices[1]", "did you mean exact?"]),
        ("{name: qiskit, backend: FakeAtlantis}", ["devices[1]", "FakeAtlantis"]),
        ("{name: pennylane, device: lightning.bolt}", ["devices[1]", "lightning.bolt"]),
        ("{name: rehearsal, preset: ibm-opne}", ["devices[1]", "did you mean ibm-open?"]),
        ("{name: rehearsal, shots: -5}", ["devices[1]", "shots", "-5"]),
        ("{name: exact, shots: 0}", ["devices[1]", "shots", "0"]),
        ("{name: rehearsal, shots: 1000000}", ["one job of at most 10,000,000 executions"]),
        ("{name: exact, shots: 64, noise: {p1: 1.5, p2: 0}}", ["devices[1]", "p1", "1.5"]),
        ("{name: rehearsal, noise: 2}", ["devices[1]", "2"]),
        ("{name: qiskit, noise: {p1: 1.1, p2: 0}}", ["devices[1]", "p1"]),
    ],
)
def test_devices(qhn, command, device, words):
    output = refused(qhn, command, device)
    assert all(word in output for word in words), output


@pytest.mark.parametrize("command", ["plan", "run"])
def test_elbo_where_a_device_only_samples(qhn, command):
    output = refused(qhn, command, objectives="{name: elbo, lambda: 1}")
    assert "elbo" in output and "rehearsal" in output and "selbo" in output


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_circuit_with_more_qubits_than_the_backend(qhn, command):
    device = "{name: qiskit, backend: FakeNairobiV2, shots: 64}"
    file = FILE.replace("{hidden: 1}", "{hidden: 3}")
    output = refused(qhn, command, device, file=file)
    assert "FakeNairobiV2 has 7 qubits and the circuit 14" in output


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("lane", "words"),
    [
        ("{devices: qpu-b}", ["lanes.q.devices", "no device has the label qpu-b"]),
        ("{devices: exact}", ["lanes.q.devices", "exact has none"]),
        ("{devices: qpu-a, jobs_in_flight: 0}", ["lanes.q.jobs_in_flight", "at least 1"]),
        ("{devices: qpu-a, live_trials: -1}", ["lanes.q.live_trials", "-1"]),
        ("{devices: qpu-a, budget: {cost: 0.01}}", ["lanes.q.budget.cost", "0.01"]),
        ("{devices: qpu-a}, p: {devices: qpu-a}", ["a device must be in one lane"]),
    ],
)
def test_lanes(qhn, command, lane, words):
    output = refused(qhn, command, more=f"lanes: {{q: {lane}}}")
    assert all(word in output for word in words), output


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_secret_in_a_file_is_refused_and_not_repeated(qhn, command):
    output = refused(qhn, command, "{name: qiskit, backend: ibm_torino, token: planted-secret}")
    assert "devices[1].token: unknown key" in output
    assert "planted-secret" not in output
