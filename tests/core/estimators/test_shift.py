"""Gradients from samples by shifted circuits: what they cost, and that their errors are honest."""

from __future__ import annotations

import numpy as np
import pytest
from contract import ANGLES, ANSATZ, BANDWIDTH, LAMBDA, PROBLEM, Case, EstimatorContract
from sampling import Counting, is_frequency, sampled

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.core.estimators.shift import shifted_places, shifted_sets
from qhn.core.objectives.objective import Objective


class TestShiftEstimator(EstimatorContract):
    objectives = ("mle", "selbo")

    def make(self, name, seed=3):
        sampler = Counting()
        return Case(sampled(name=name, seed=seed, sampler=sampler), lambda: len(sampler.asked))

    def is_chance(self, found, chance):
        return is_frequency(found, chance, 500)


def exact(name, ansatz, angles, lambda_=LAMBDA, prior=None, prior_samples=None):
    """Value and gradient of the same objective on the exact engine."""
    engine = Engine(ansatz)
    objective = Objective.of(name, PROBLEM, BANDWIDTH, prior_samples)
    value, observable = objective.value_and_observable(engine.probabilities(angles), lambda_, prior)
    return value, engine.gradient(observable)


@pytest.mark.parametrize(("n_qubits", "circuits"), [(6, 37), (14, 85)])
def test_a_step_runs_two_circuits_for_each_angle_that_matters(n_qubits, circuits):
    ansatz = Ansatz.brickwork(n_qubits, depth=2)
    angles = np.zeros(ansatz.parameter_shape)
    assert shifted_sets(ansatz, angles).shape == (circuits, 2, 2, n_qubits)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", [Ansatz.brickwork, Ansatz.chain, Ansatz.ring])
def test_the_angles_that_are_left_out_are_those_without_a_gradient(kind, depth):
    ansatz, rng = kind(4, depth), np.random.default_rng(5)
    engine = Engine(ansatz)
    engine.probabilities(rng.uniform(0, 2 * np.pi, ansatz.parameter_shape))
    gradient = engine.gradient(rng.standard_normal(16)).ravel()
    assert np.array_equal(np.flatnonzero(abs(gradient) > 1e-12), shifted_places(ansatz))


def test_one_submission_a_step_under_the_key_of_trial_and_step():
    sampler = Counting()
    sampled(sampler=sampler, seed=9).evaluate(ANGLES[0], LAMBDA, 17, report=False)
    [(sets, shots, key)] = sampler.asked
    assert (len(sets), shots, key) == (37, 500, SampleKey("a-trial", 9, 17))
    assert np.array_equal(sets[0], ANGLES[0])


@pytest.mark.parametrize(("name", "prior_samples"), [("mle", None), ("selbo", None), ("selbo", 9)])
def test_gradients_are_off_by_as_much_as_their_errors_say(name, prior_samples):
    z = []
    for circuit, kind in enumerate(
        [Ansatz.brickwork, Ansatz.chain, Ansatz.ring] * 3 + [Ansatz.ring]
    ):
        ansatz = kind(6, depth=2)
        angles = np.random.default_rng(circuit).uniform(0, 2 * np.pi, ansatz.parameter_shape)
        estimator = sampled(name=name, ansatz=ansatz, shots=512, prior_samples=prior_samples)
        for step in range(4):
            prior = estimator._prior(step)
            _, gradient = exact(name, ansatz, angles, prior=prior, prior_samples=prior_samples)
            found = estimator.evaluate(angles, LAMBDA, step)
            moved = found.gradient_errors > 0
            assert np.abs(found.gradient[~moved]).max() == 0
            z.extend((found.gradient - gradient)[moved] / found.gradient_errors[moved])
    assert len(z) == 4 * 10 * 18
    assert np.abs(z).max() < 5
    assert 0.8 < np.square(z).mean() < 1.25


def test_the_error_of_a_strong_regulariser_includes_the_shared_sample():
    # With λ this large most of the noise comes from Kp̂, which all derivatives have in common.
    # Without its part z² would be above 1.25 here.
    z = []
    for step in range(30):
        found = sampled(shots=64).evaluate(ANGLES[step % 4], 3000.0, step)
        _, gradient = exact("selbo", ANSATZ, ANGLES[step % 4], 3000.0)
        moved = found.gradient_errors > 0
        z.extend((found.gradient - gradient)[moved] / found.gradient_errors[moved])
    assert 0.8 < np.square(z).mean() < 1.25


def test_gradients_are_without_bias_also_from_two_shots():
    _, gradient = exact("selbo", ANSATZ, ANGLES[0], 300.0)
    estimator = sampled(shots=2)
    found = [
        estimator.evaluate(ANGLES[0], 300.0, step, report=False).gradient for step in range(1500)
    ]
    moved = gradient != 0
    z = (np.mean(found, axis=0) - gradient)[moved] / np.std(found, axis=0)[moved] * 1500**0.5
    assert np.abs(z).max() < 4


def test_reports_are_absent_where_samples_do_not_give_them():
    estimator = sampled(shots=300, best_of=64)
    errors = estimator.evaluate(ANGLES[0], LAMBDA, 0).standard_errors
    found = estimator.measure(0)
    assert not {"kl", "entropy"} & set(found)
    assert set(errors) - set(found) == {"objective", "gradient_norm", "gradient"}
    assert all(error > 0 for error in errors.values())
    assert estimator.evaluate(ANGLES[0], LAMBDA, 1, report=False).standard_errors is None


def test_a_report_costs_the_gradient_nothing_and_changes_nothing():
    with_report, without = (
        sampled().evaluate(ANGLES[1], LAMBDA, 5, report=report) for report in (True, False)
    )
    assert np.array_equal(with_report.gradient, without.gradient)


def test_one_shot_is_enough_for_maximum_likelihood():
    estimator = sampled(name="mle", shots=1)
    found = estimator.evaluate(ANGLES[0], 0.0, 0)
    assert found.standard_errors is None
    assert "mmd2" not in estimator.measure(0)
    with pytest.raises(InvalidValueError, match="`shots >= 2`"):
        sampled(name="selbo", shots=1)


def test_no_device_is_paid_at_angles_that_are_not_finite():
    sampler = Counting()
    estimator = sampled(sampler=sampler)
    found = estimator.evaluate(ANGLES[0] * np.nan, LAMBDA, 0)
    assert sampler.asked == []
    assert np.isnan(found.value) and np.isnan(found.gradient).all()
    assert np.isnan(list(estimator.measure(0).values())).all()
    assert estimator.top_strings(3) == []


def test_overflow_is_told_by_numbers_and_not_by_warnings():
    assert not np.isfinite(sampled().evaluate(ANGLES[0], 1e308, 0).gradient).all()


def test_before_the_first_report_there_are_no_strings():
    assert sampled().top_strings(3) == []


@pytest.mark.parametrize(
    "change",
    [
        {"reported_strings": np.array([64])},
        {"reported_strings": np.array([-1])},
        {"reported_strings": np.array([1.0])},
        {"reported_strings": np.array([1, 2])},
        {"reported_counts": np.array([501])},
        {"reported_counts": np.array([0])},
        {"reported_parameters": np.zeros((1, 2, 6))},
    ],
)
def test_states_of_other_trials_are_refused(change):
    state = {
        "reported_parameters": ANGLES[0],
        "reported_strings": np.array([3]),
        "reported_counts": np.array([500]),
    }
    estimator = sampled()
    estimator.restore(state)
    with pytest.raises(InvalidValueError):
        estimator.restore({**state, **change})
    assert [top.bits for top in estimator.top_strings(5)] == ["000011"]
