"""Aer and IBM's fake backends: samples against the oracles, methods, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import circuit, density
from test_contract import ANSATZ, KEY, SETS, TestSamplerHandle

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising
from qhn.devices import make_device

__all__ = ["TestSamplerHandle"]  # the contract, over the fixture below


@pytest.fixture(params=["statevector", "density_matrix", "matrix_product_state"])
def sampler(request):
    with make_device("qiskit", method=request.param).open(ANSATZ) as handle:
        yield handle


def frequencies_off(samples, q):
    """χ² of samples over its degrees of freedom, which is 1 on average."""
    expected = len(samples) * q
    seen = np.bincount(samples, minlength=len(q))
    return (np.square(seen - expected) / expected).sum() / (len(q) - 1)


@pytest.mark.parametrize(
    ("ansatz", "method"),
    [
        (Ansatz.brickwork(5, 2), None),
        (Ansatz.ring(6, 2), None),
        (Ansatz.brickwork(5, 2), "statevector"),
    ],
)
def test_noise_is_that_of_density_matrices(ansatz, method):
    # Ten times the noise of a processor, so that a gate without its noise would be seen. Gates that
    # a transpiler removes or merges are among them, such as the last RZ of each qubit.
    p1, p2, shots = 0.01, 0.04, 4_000 if method else 100_000
    angles = np.random.default_rng(3).uniform(0, 2 * np.pi, ansatz.parameter_shape)
    device = make_device("qiskit", noise=Depolarising(p1, p2), method=method)
    with device.open(ansatz) as handle:
        [samples] = handle.sample(angles[np.newaxis], shots, KEY)
    assert frequencies_off(samples, density.probabilities(ansatz, angles, p1, p2)) < 1.5
    if method is None:
        assert frequencies_off(samples, circuit.probabilities(ansatz, angles)) > 5


@pytest.mark.parametrize("noise", [Depolarising(0.3, 0.0), Depolarising(0.0, 0.3)], ids=str)
def test_each_kind_of_gate_has_its_own_noise(noise):
    angles = SETS[0]
    with make_device("qiskit", noise=noise).open(ANSATZ) as handle:
        [samples] = handle.sample(angles[np.newaxis], 20_000, KEY)
    q = density.probabilities(ANSATZ, angles, noise.p1, noise.p2)
    assert frequencies_off(samples, q) < 3.5  # of seven degrees of freedom


def test_a_fake_backend_has_the_noise_of_its_processor():
    from qiskit_ibm_runtime import SamplerV2
    from qiskit_ibm_runtime.fake_provider import FakeNairobiV2

    from qhn.devices.qiskit.circuit import compiled_for
    from qhn.devices.qiskit.samples import from_bytes

    # Twice on Aer: by this device, and as Qiskit Runtime does it in its local mode.
    shots, backend = 20_000, FakeNairobiV2()
    compiled = compiled_for(backend, ANSATZ)
    options = {"simulator": {"seed_simulator": 3}}
    job = SamplerV2(mode=backend, options=options).run(
        [(compiled.circuit, compiled.values(SETS), shots)]
    )
    expected = from_bytes(job.result()[0].data.c.array)
    with make_device("qiskit", backend="FakeNairobiV2").open(ANSATZ) as handle:
        found = handle.sample(SETS, shots, KEY)
        assert np.array_equal(found, handle.sample(SETS, shots, KEY))
    for one, other, angles in zip(found, expected, SETS, strict=True):
        seen = np.stack([np.bincount(samples, minlength=8) for samples in (one, other)])
        off = np.square(seen[0] - seen[1]) / np.maximum(seen.sum(axis=0), 1)
        assert off.sum() < 30  # seven degrees of freedom: one time in ten thousand
        assert frequencies_off(one, circuit.probabilities(ANSATZ, angles)) > 3


def test_trajectories_of_a_fake_backend_are_those_of_its_density_matrix():
    # Aer's shot branching is wrong for the relaxation in these models: χ²/dof of 2 to 12 here.
    ansatz = Ansatz.ring(5, 2)
    sets = np.random.default_rng(0).uniform(0, 2 * np.pi, (3, *ansatz.parameter_shape))
    drawn = {}
    for method in ("density_matrix", "statevector"):
        with make_device("qiskit", backend="FakeNairobiV2", method=method).open(ansatz) as handle:
            drawn[method] = handle.sample(sets, 1_000, KEY)
            assert np.array_equal(handle.sample(sets, 1_000, KEY), drawn[method])
    for pair in zip(*drawn.values(), strict=True):
        seen = np.stack([np.bincount(samples, minlength=32) for samples in pair])
        off = np.square(seen[0] - seen[1]) / np.maximum(seen.sum(axis=0), 1)
        assert off.sum() < 70  # of 31 degrees of freedom: less than one time in ten thousand


@pytest.mark.parametrize(
    ("options", "n_qubits", "method"),
    [
        ({}, 14, "statevector"),
        ({}, 25, "matrix_product_state"),
        ({"noise": Depolarising(0.1, 0.1)}, 9, "density_matrix"),
        ({"noise": Depolarising(0.1, 0.1)}, 10, "statevector"),
        ({"backend": "FakeNairobiV2"}, 6, "density_matrix"),
        ({"backend": "FakeGuadalupeV2"}, 14, "statevector"),
        ({"method": "matrix_product_state"}, 6, "matrix_product_state"),
        ({"backend": "ibm_torino"}, 6, None),
    ],
)
def test_the_method_is_decided_by_the_configuration(options, n_qubits, method):
    device = make_device("qiskit", **options)
    resolved = device.resolved(n_qubits)
    assert resolved.method == method
    assert resolved.resolved(n_qubits) == resolved
    assert (method is None) == resolved.capabilities.queued
    assert resolved.notes(n_qubits) == device.notes(n_qubits)
    assert method is None or f"method {method}" in device.notes(n_qubits)[0]


def test_a_plan_warns_of_simulations_that_take_minutes():
    def words(n_qubits, **options):
        return " ".join(make_device("qiskit", **options).notes(n_qubits))

    assert "160 seconds" in words(14, backend="FakeGuadalupeV2")
    assert "10 seconds" in words(14, noise=Depolarising(0.001, 0.004))
    assert "slow" not in words(14) + words(6, backend="FakeNairobiV2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": 0}, "`shots >= 1`"),
        ({"shots": -5}, "`shots >= 1`"),
        ({"shots": 10**7 + 1}, "`shots <= 10000000`"),
        ({"shots": None}, "whole number"),
        ({"backend": "Aer"}, "must be aer, a fake backend .* but got 'Aer'"),
        ({"backend": ""}, "must be aer, a fake backend"),
        ({"backend": "FakeNairobiV2", "noise": Depolarising(0.1, 0.1)}, "noise of its processor"),
        ({"backend": "ibm_torino", "noise": Depolarising(0.1, 0.1)}, "noise of its own"),
        ({"backend": "ibm_torino", "method": "statevector"}, "ibm_torino is a processor"),
        ({"method": "magic"}, "must be one of statevector, .* but got 'magic'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("qiskit", **options)


@pytest.mark.parametrize(
    ("options", "ansatz", "message"),
    [
        ({"backend": "FakeNairobi"}, ANSATZ, "got 'FakeNairobi'; it has FakeNairobiV2"),
        ({"backend": "FakeNairobiV2"}, Ansatz.ring(8, 1), "has 7 qubits and the circuit 8"),
        ({"method": "density_matrix"}, Ansatz.ring(14, 1), "at most 13 qubits, .* has 14"),
    ],
)
def test_what_does_not_fit_is_refused_when_opened(options, ansatz, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("qiskit", **options).open(ansatz)


def test_two_handles_compile_the_same_circuit():
    with (
        make_device("qiskit", backend="FakeNairobiV2").open(ANSATZ) as one,
        make_device("qiskit", backend="FakeNairobiV2").open(ANSATZ) as other,
    ):
        assert np.array_equal(one.sample(SETS, 100, KEY), other.sample(SETS, 100, KEY))
