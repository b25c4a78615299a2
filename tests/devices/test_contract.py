"""What every device must keep, run over the registry of devices."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from oracles import circuit

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices import (
    DEVICES,
    Capabilities,
    DeviceHandle,
    SamplerHandle,
    SimulatorHandle,
    make_device,
)
from qhn.devices.queued import QueuedHandle

ANSATZ = Ansatz.ring(n_qubits=3, depth=2)
ANGLES = np.random.default_rng(1).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)


@pytest.mark.parametrize("name", DEVICES)
class TestDevice:
    """A device as data: nothing of this opens it."""

    def test_is_frozen_data_with_its_name(self, name):
        made = make_device(name)
        assert made.kind == name
        assert made == make_device(name)
        assert type(made).__dataclass_params__.frozen

    def test_every_option_has_a_default(self, name):
        # Else a sweep file could not name the device by a word.
        for field in dataclasses.fields(DEVICES[name]):
            assert field.default is not dataclasses.MISSING

    def test_capabilities_are_known_and_stay(self, name):
        made = make_device(name)
        assert isinstance(made.capabilities, Capabilities)
        assert made.capabilities == make_device(name).capabilities

    def test_unknown_options_are_named(self, name):
        with pytest.raises(InvalidValueError, match="but got shoots; leave"):
            make_device(name, shoots=3)


#: Every device as it is by default, and those that sample only with options.
MADE = [*map(make_device, DEVICES), make_device("exact", shots=300)]


@pytest.fixture(params=MADE, ids=str)
def device(request):
    with request.param.open(ANSATZ) as handle:
        assert handle.name == request.param.kind
        assert handle.capabilities == request.param.capabilities
        yield handle


class TestDeviceHandle:
    def test_is_a_handle_of_its_circuit(self, device):
        assert isinstance(device, DeviceHandle)
        assert device.ansatz == ANSATZ

    def test_gives_what_its_capabilities_say(self, device):
        can = device.capabilities
        assert isinstance(device, SimulatorHandle) == can.distribution
        # Where jobs wait, samples do not come from one call.
        assert isinstance(device, SamplerHandle) == (can.samples and not can.queued)
        assert isinstance(device, QueuedHandle) == can.queued

    def test_closes_twice(self, device):
        device.close()
        device.close()


@pytest.fixture(params=[n for n in DEVICES if make_device(n).capabilities.distribution])
def simulator(request):
    with make_device(request.param).open(ANSATZ) as handle:
        yield handle


class TestSimulatorHandle:
    def test_gives_a_distribution(self, simulator):
        q = simulator.probabilities(ANGLES)
        assert q.shape == (8,)
        assert (q >= 0).all()
        assert q.sum() == pytest.approx(1.0, abs=1e-12)

    def test_gradient_is_that_of_the_expectation(self, simulator):
        observable = np.random.default_rng(2).standard_normal(8)
        simulator.probabilities(ANGLES)
        gradient = simulator.gradient(observable).copy()
        assert gradient.shape == ANSATZ.parameter_shape

        def expectation(angles):
            return simulator.probabilities(angles) @ observable

        for place in np.ndindex(*ANSATZ.parameter_shape):
            shift = np.zeros(ANSATZ.parameter_shape)
            shift[place] = np.pi / 2
            # The parameter-shift rule is exact for rotations.
            shifted = (expectation(ANGLES + shift) - expectation(ANGLES - shift)) / 2
            assert gradient[place] == pytest.approx(shifted, abs=1e-12)

    def test_same_angles_same_bits(self, simulator):
        first = simulator.probabilities(ANGLES).copy()
        simulator.probabilities(ANGLES + 0.1)
        simulator.gradient(np.arange(8.0))
        assert np.array_equal(simulator.probabilities(ANGLES), first)

    def test_closes_once_and_for_all(self, simulator):
        simulator.close()
        simulator.close()
        with pytest.raises(InvalidValueError, match="open"):
            simulator.probabilities(ANGLES)
        with pytest.raises(InvalidValueError, match="open"):
            simulator.gradient(np.zeros(8))


#: Those whose jobs wait have tests of their own; see `queued_contract.py`.
SAMPLERS = [made for made in MADE if made.capabilities.samples and not made.capabilities.queued]


@pytest.fixture(params=SAMPLERS, ids=str)
def sampler(request):
    with request.param.open(ANSATZ) as handle:
        yield handle


SETS = np.stack([ANGLES, ANGLES + 0.4, ANGLES])
KEY = SampleKey("trial", 7, 3)


class TestSamplerHandle:
    def test_gives_outcomes_for_each_set_of_angles(self, sampler):
        samples = sampler.sample(SETS, 50, KEY)
        assert samples.shape == (3, 50)
        assert samples.dtype == np.int64
        assert (samples >= 0).all() and (samples < 8).all()

    def test_outcomes_are_as_frequent_as_they_are_probable(self, sampler):
        samples = sampler.sample(SETS, 20_000, KEY)
        for angles, drawn in zip(SETS, samples, strict=True):
            q = circuit.probabilities(ANSATZ, angles)
            seen = np.bincount(drawn, minlength=8)
            # A χ² with seven degrees of freedom: above 30 in one of ten thousand cases.
            assert (np.square(seen - 20_000 * q) / (20_000 * q)).sum() < 30

    def test_sets_are_independent_also_with_equal_angles(self, sampler):
        samples = sampler.sample(SETS, 200, KEY)
        assert not np.array_equal(np.sort(samples[0]), np.sort(samples[2]))

    def test_seed_and_step_decide_the_samples_and_nothing_else_does(self, sampler):
        assert sampler.capabilities.reproducible
        first = sampler.sample(SETS, 200, KEY)
        sampler.sample(SETS + 1, 10, SampleKey("other", 1, 0))
        # A second attempt, and another trial with the same seed at the same step.
        assert np.array_equal(sampler.sample(SETS, 200, KEY), first)
        assert np.array_equal(sampler.sample(SETS, 200, SampleKey("other", 7, 3)), first)
        for other in (SampleKey("trial", 7, 4), SampleKey("trial", 8, 3)):
            assert not np.array_equal(sampler.sample(SETS, 200, other), first)

    def test_what_it_cannot_run_is_refused(self, sampler):
        for sets, shots in ((ANGLES, 5), (SETS[:, :1], 5), (SETS, 0)):
            with pytest.raises(InvalidValueError, match="must"):
                sampler.sample(sets, shots, KEY)

    def test_closes_once_and_for_all(self, sampler):
        sampler.close()
        with pytest.raises(InvalidValueError, match="open"):
            sampler.sample(SETS, 5, KEY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": 0}, "`shots >= 1`"),
        ({"shots": -4}, "`shots >= 1`"),
        ({"shots": 10**7 + 1}, "`shots <= 10000000`"),
        ({"shots": 2.5}, "whole number"),
        ({"estimator": "spsa"}, "an estimator needs samples"),
    ],
)
def test_exact_refuses_options_that_make_no_sense(options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("exact", **options)


def test_unknown_devices_are_named():
    with pytest.raises(InvalidValueError, match=f"one of {', '.join(DEVICES)}, but got 'quantum'"):
        make_device("quantum")


NOTHING_SPECIAL = {
    "distribution": False,
    "samples": True,
    "log_q": False,
    "reproducible": False,
    "queued": True,
    "submission": "neither",
}


@pytest.mark.parametrize("changes", [{"samples": False}, {"circuits_per_job": 0}, {"shots": 0}])
def test_a_device_that_can_do_nothing_cannot_be_described(changes):
    assert Capabilities(**NOTHING_SPECIAL)
    with pytest.raises(InvalidValueError, match="but got"):
        Capabilities(**{**NOTHING_SPECIAL, **changes})


def test_capabilities_load_no_engine():
    code = (
        "import sys\n"
        "from qhn.devices import DEVICES, make_device\n"
        "[make_device(name).capabilities for name in DEVICES]\n"
        "make_device('qiskit', backend='ibm_torino').resolved(14).notes(14)\n"
        "make_device('qiskit', backend='FakeNairobiV2').resolved(14).notes(14)\n"
        "heavy = {'numba', 'scipy', 'pennylane', 'qiskit', 'ray'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
