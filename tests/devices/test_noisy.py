"""The device exact with noise: samples by frames, and what decides them."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import density

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices import SamplerHandle, SimulatorHandle, TrajectoryHandle, make_device

P1, P2 = 0.03, 0.08
NOISE = {"p1": P1, "p2": P2}
ANSATZ = Ansatz.ring(n_qubits=3, depth=2)
ANGLES = np.random.default_rng(1).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)
SETS = np.stack([ANGLES, ANGLES + 0.4, ANGLES])
KEY = SampleKey("trial", 7, 3)


@pytest.fixture
def sampler():
    with make_device("exact", shots=300, noise=NOISE).open(ANSATZ) as handle:
        yield handle


@pytest.fixture
def averaging():
    with make_device("exact", noise=NOISE, trajectories=4000).open(ANSATZ) as handle:
        yield handle


def chi2(drawn, q):
    expected = len(drawn) * q
    return (np.square(np.bincount(drawn, minlength=len(q)) - expected) / expected).sum()


class TestSamples:
    def test_are_those_of_the_density_matrix(self, sampler):
        assert isinstance(sampler, SamplerHandle) and not isinstance(sampler, SimulatorHandle)
        samples = sampler.sample(SETS, 20_000, KEY)
        assert samples.shape == (3, 20_000) and samples.dtype == np.int64
        for angles, drawn in zip(SETS, samples, strict=True):
            # A χ² with seven degrees of freedom: above 30 in one of ten thousand cases.
            assert chi2(drawn, density.probabilities(ANSATZ, angles, P1, P2)) < 30
            assert chi2(drawn, density.probabilities(ANSATZ, angles, 0.0, 0.0)) > 200

    def test_are_decided_by_seed_and_step_alone(self, sampler):
        first = sampler.sample(SETS, 200, KEY)
        sampler.sample(SETS + 1, 10, SampleKey("other", 1, 0))
        assert np.array_equal(sampler.sample(SETS, 200, SampleKey("other", 7, 3)), first)
        for other in (SampleKey("trial", 7, 4), SampleKey("trial", 8, 3)):
            assert not np.array_equal(sampler.sample(SETS, 200, other), first)
        # Equal angles in one request have independent errors and outcomes.
        assert not np.array_equal(first[0], first[2])

    def test_of_a_circuit_do_not_depend_on_the_circuits_after_it(self, sampler):
        assert np.array_equal(sampler.sample(SETS[:2], 50, KEY), sampler.sample(SETS, 50, KEY)[:2])

    def test_are_refused_where_they_make_no_sense(self, sampler):
        for sets, shots in ((ANGLES, 5), (SETS[:, :1], 5), (SETS, 0)):
            with pytest.raises(InvalidValueError, match="must"):
                sampler.sample(sets, shots, KEY)
        sampler.close()
        with pytest.raises(InvalidValueError, match="open"):
            sampler.sample(SETS, 5, KEY)


class TestTrajectories:
    def test_average_to_the_density_matrix(self, averaging):
        assert isinstance(averaging, TrajectoryHandle)
        assert not isinstance(averaging, SimulatorHandle | SamplerHandle)
        frames = averaging.trajectories(KEY)
        assert len(frames) == averaging.capabilities.trajectories == 4000
        mean = np.zeros(8)
        for group in frames.groups:
            q = averaging.run(ANGLES, group)
            for mask, count in zip(group.masks, group.counts, strict=True):
                mean += count / 4000 * q[np.arange(8) ^ mask]
        assert mean == pytest.approx(density.probabilities(ANSATZ, ANGLES, P1, P2), abs=0.02)

    def test_are_decided_by_seed_and_step_alone(self, averaging):
        first = averaging.trajectories(KEY)
        again = averaging.trajectories(SampleKey("other", 7, 3))
        assert np.array_equal(first.signs, again.signs) and np.array_equal(first.masks, again.masks)
        assert not np.array_equal(averaging.trajectories(SampleKey("", 7, 4)).signs, first.signs)

    def test_are_refused_when_closed(self, averaging):
        [group, *_] = averaging.trajectories(KEY).groups
        averaging.close()
        for call in (
            lambda: averaging.trajectories(KEY),
            lambda: averaging.run(ANGLES, group),
            lambda: averaging.slope(np.zeros(8), group),
        ):
            with pytest.raises(InvalidValueError, match="open"):
                call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": 2}, "must be a number between 0 and 1, but got p1=2"),
        ({"noise": {"p1": 0.1}}, "noise must have p1 and p2, but got p1"),
        ({"noise": {"p1": 0.1, "p2": -1}}, "but got p2=-1"),
        ({"noise": 0.1, "trajectories": 1}, "`2 <= trajectories"),
        ({"trajectories": 8}, "but got trajectories=8 without noise"),
        ({"noise": 0.1, "trajectories": 8, "shots": 9}, "but got trajectories=8 with shots"),
        ({"shots": {"schedule": "exponential", "start": 1, "end": 64}}, "at least 2 at every step"),
        ({"shots": {"schedule": "warmup", "value": 64}}, "`shots >= 1`"),
        ({"shots": {"schedule": "cosine", "start": 4}}, "must have all its numbers"),
        ({"shots": {"schedule": "steep"}}, "a schedule must be one of"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_device("exact", **options)


def test_the_same_device_has_one_form():
    assert make_device("exact", noise=0) == make_device("exact", noise={"p1": 0, "p2": 0.0})
    assert make_device("exact", noise=0) == make_device("exact")
    assert make_device("exact", noise=1) == make_device("exact", noise={"p1": 1.0, "p2": 1.0})
    flat = {"schedule": "exponential", "start": 64, "end": 64}
    assert make_device("exact", shots=flat) == make_device("exact", shots=64)
    growing = make_device("exact", shots={"schedule": "exponential", "start": 64, "end": 1024})
    assert growing.capabilities.shots == 1024
    assert make_device("exact", noise=0.1).capabilities.trajectories == 128
