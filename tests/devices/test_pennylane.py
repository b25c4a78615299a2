"""PennyLane's devices: those that sample and those that give the whole distribution."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import circuit
from test_contract import ANGLES, ANSATZ, KEY, SETS, TestSamplerHandle, TestSimulatorHandle

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices import make_device

__all__ = ["TestSamplerHandle", "TestSimulatorHandle"]  # the contract, over the fixtures below


@pytest.fixture(params=["lightning.qubit", "default.qubit", "qiskit.aer"])
def sampler(request):
    with make_device("pennylane", device=request.param, shots=300).open(ANSATZ) as handle:
        yield handle


@pytest.fixture(params=["default.qubit", "default.mixed", "reference.qubit"])
def simulator(request):
    with make_device("pennylane", device=request.param).open(ANSATZ) as handle:
        yield handle


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("lightning.qubit", "adjoint"),
        ("default.qubit", "adjoint"),
        ("default.mixed", "backprop"),
        ("reference.qubit", "shift"),
    ],
)
@pytest.mark.parametrize("entangler", [Ansatz.brickwork, Ansatz.ring])
def test_each_device_gives_gradients_in_its_fastest_way(name, way, entangler):
    ansatz = entangler(4, depth=2)
    rng = np.random.default_rng(4)
    angles = rng.uniform(0, 2 * np.pi, ansatz.parameter_shape)
    observable = rng.standard_normal(16)
    with make_device("pennylane", device=name).open(ansatz) as handle:
        assert handle.differentiation == way
        with pytest.raises(InvalidValueError, match="`probabilities` must be called before"):
            handle.gradient(observable)
        q = handle.probabilities(angles)
        np.testing.assert_allclose(q, circuit.probabilities(ansatz, angles), atol=1e-12)
        expected = circuit.gradient(ansatz, angles, observable)
        np.testing.assert_allclose(handle.gradient(observable), expected, atol=1e-12)


def test_the_whole_distribution_of_aer_is_exact():
    with make_device("pennylane", device="qiskit.aer").open(ANSATZ) as handle:
        q = handle.probabilities(ANGLES)
    np.testing.assert_allclose(q, circuit.probabilities(ANSATZ, ANGLES), atol=1e-12)


def test_remote_runs_a_fake_backend_with_a_seed_for_each_circuit():
    device = make_device("pennylane", device="qiskit.remote", backend="FakeNairobiV2", shots=200)
    with device.open(ANSATZ) as handle:
        first, second = handle.sample(SETS, 200, KEY), handle.sample(SETS, 200, KEY)
    assert np.array_equal(first, second)
    assert not np.array_equal(np.sort(first[0]), np.sort(first[2]))  # sets of equal angles
    q = circuit.probabilities(ANSATZ, ANGLES)
    # The noise of the processor moves less than a tenth of q. Reversed bits would move far more.
    assert np.abs(np.bincount(first[0], minlength=8) / 200 - q).sum() / 2 < 0.2
    assert (
        np.abs(np.bincount(first[0], minlength=8) / 200 - q[[0, 4, 2, 6, 1, 5, 3, 7]]).max() > 0.1
    )


def test_samples_are_reproducible_where_a_seed_is_taken():
    def reproducible(name, **options):
        return make_device("pennylane", device=name, **options).capabilities.reproducible

    assert reproducible("lightning.qubit", shots=5) and reproducible("lightning.gpu", shots=5)
    assert not reproducible("qiskit.basicsim", shots=5)
    assert reproducible("some.simulator") and not reproducible("some.simulator", shots=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": 0}, "`shots >= 1`"),
        ({"shots": 10**7 + 1}, "`shots <= 10000000`"),
        ({"estimator": "spsa"}, "an estimator needs samples"),
        ({"device": ""}, "must be named"),
        ({"device": "default.tensor", "shots": 5}, "default.tensor, which cannot"),
        ({"device": "qiskit.remote"}, "qiskit.remote only samples"),
        ({"device": "qiskit.remote", "shots": 5}, "needs a fake backend"),
        ({"device": "qiskit.remote", "shots": 5, "backend": "ibm_torino"}, "the device qiskit"),
        ({"backend": "FakeNairobiV2"}, "a backend belongs to qiskit.remote"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("pennylane", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "quantum.dream"}, "must be installed, but got 'quantum.dream'; .*lightning"),
        ({"device": "quantum.dream", "shots": 5}, "must be installed, but got 'quantum.dream'"),
        (
            {"device": "qiskit.remote", "shots": 5, "backend": "FakeDream"},
            "a fake backend must be one that .* got 'FakeDream'",
        ),
        (
            {"device": "qiskit.remote", "shots": 5, "backend": "FakeNairobiV2"},
            "FakeNairobiV2 has 7 qubits and the circuit 8",
        ),
    ],
)
def test_what_only_the_library_knows_is_refused_when_opened(options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("pennylane", **options).open(Ansatz.ring(8, depth=1))
