"""Noisy value and gradient averaged over trajectories, against exact density matrices."""

from __future__ import annotations

import numpy as np
import pytest
from contract import ANGLES, ANSATZ, BANDWIDTH, LAMBDA, PROBLEM, Case, EstimatorContract
from oracles import density

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import Dataset
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.estimators.trajectories import TrajectoryEstimator
from qhn.core.evaluation.problem import build_problem
from qhn.core.objectives.objective import Objective
from qhn.devices import make_device

P1, P2 = 0.02, 0.06


class Counting:
    """The noisy device, which counts how often trajectories are drawn."""

    def __init__(self, ansatz, trajectories, p1=P1, p2=P2):
        noise = {"p1": p1, "p2": p2}
        device = make_device("exact", noise=noise, trajectories=trajectories)
        self.handle, self.draws = device.open(ansatz), 0
        self.run, self.slope = self.handle.run, self.handle.slope

    def trajectories(self, key):
        self.draws += 1
        return self.handle.trajectories(key)


def averaging(name="selbo", seed=3, trajectories=100, prior_samples=None, **changes):
    ansatz = changes.get("ansatz", ANSATZ)
    return TrajectoryEstimator(
        **{
            "problem": PROBLEM,
            "ansatz": ansatz,
            "objective": Objective.of(name, PROBLEM, BANDWIDTH, prior_samples),
            "simulator": Counting(ansatz, trajectories),
            "seed": seed,
            "best_of": 8,
            **changes,
        }
    )


class TestTrajectoryEstimator(EstimatorContract):
    objectives = ("mle", "selbo")

    def make(self, name, seed=3):
        simulator = Counting(ANSATZ, 100)
        return Case(averaging(name=name, seed=seed, simulator=simulator), lambda: simulator.draws)

    def distribution(self, angles):
        return density.probabilities(ANSATZ, angles, P1, P2)

    def is_chance(self, found, chance):
        return abs(found - chance) < 0.1


def small_problem():
    """Four bits, so that density matrices are quickly made."""
    x = np.random.default_rng(0).normal(size=(30, 3))
    y = (x @ [1.0, 1.0, -1.0] > 0).astype(np.float64)
    return build_problem(Dataset("by hand", x, y, x, y), networks.logistic(3))


@pytest.mark.parametrize(
    ("name", "lambda_", "prior_samples"),
    [("mle", 0.0, None), ("selbo", LAMBDA, None), ("selbo", 100.0, None), ("selbo", 100.0, 9)],
)
def test_gradients_are_off_by_as_much_as_their_errors_say(name, lambda_, prior_samples):
    problem, of_angles, of_values = small_problem(), [], []
    for number in range(10):
        ansatz = (Ansatz.brickwork, Ansatz.chain, Ansatz.ring)[number % 3](4, depth=2)
        angles = np.random.default_rng(number).uniform(0, 2 * np.pi, ansatz.parameter_shape)
        objective = Objective.of(name, problem, BANDWIDTH, prior_samples)
        estimator = averaging(
            ansatz=ansatz, problem=problem, objective=objective, simulator=Counting(ansatz, 100)
        )
        q = density.probabilities(ansatz, angles, P1, P2)
        slopes = density.slopes(ansatz, angles, P1, P2)
        for step in range(8):
            value, observable = objective.value_and_observable(q, lambda_, estimator._prior(step))
            gradient = slopes @ observable
            found = estimator.evaluate(angles, lambda_, step)
            moved = found.gradient_errors > 1e-12
            assert np.abs(found.gradient - gradient)[~moved].max() < 1e-12
            of_angles.extend((found.gradient - gradient)[moved] / found.gradient_errors[moved])
            of_values.append((found.value - value) / found.standard_errors["objective"])
    assert len(of_angles) >= 10 * 8 * 11
    assert np.abs(of_angles).max() < 5 and np.abs(of_values).max() < 5
    assert 0.8 < np.square(of_angles).mean() < 1.25
    assert 0.6 < np.square(of_values).mean() < 1.5


def test_mmd2_is_without_bias_also_from_two_trajectories():
    """The average of two trajectories alone would be far off: its bias is the error of q̄ itself."""
    ansatz, angles = ANSATZ, ANGLES[0]
    q = density.probabilities(ansatz, angles, 0.1, 0.3)
    objective = Objective.of("selbo", PROBLEM, BANDWIDTH)
    exact = objective.terms(q).mmd2
    simulator = Counting(ansatz, 2, 0.1, 0.3)
    estimator = averaging(objective=objective, simulator=simulator)
    unbiased, naive = [], []
    for step in range(1500):
        estimator.evaluate(angles, LAMBDA, step)
        unbiased.append(estimator.measure(step)["mmd2"])
        naive.append(objective.terms(estimator._average.mean).mmd2)
    error = np.std(unbiased) / np.sqrt(len(unbiased))
    assert abs(np.mean(unbiased) - exact) < 4 * error
    assert np.mean(naive) - exact > 20 * error


def test_weak_noise_leaves_the_numbers_of_the_exact_estimator():
    # At 10⁻⁹ no error happens in 200 trajectories.
    simulator = Counting(ANSATZ, 200, 1e-9, 1e-9)
    objective = Objective.of("selbo", PROBLEM, BANDWIDTH)
    noisy = averaging(simulator=simulator, objective=objective)
    exact = ExactEstimator(
        problem=PROBLEM, ansatz=ANSATZ, objective=Objective.of("selbo", PROBLEM, BANDWIDTH),
        simulator=Engine(ANSATZ), seed=3, best_of=8,
    )  # fmt: skip
    found, right = (e.evaluate(ANGLES[0], LAMBDA, 5) for e in (noisy, exact))
    assert found.value == pytest.approx(right.value, abs=1e-12)
    np.testing.assert_allclose(found.gradient, right.gradient, atol=1e-12)
    assert found.standard_errors["objective"] < 1e-12
    measured, expected = noisy.measure(5), exact.measure(5)
    assert set(expected) - set(measured) == {"kl", "entropy"}
    for name, value in measured.items():
        assert value == pytest.approx(expected[name], abs=1e-9)


def test_elbo_is_refused():
    with pytest.raises(InvalidValueError, match="must be mle or selbo, but got elbo"):
        averaging("elbo")


@pytest.mark.parametrize(
    "change", [{"reported_step": np.array(-1)}, {"reported_parameters": np.zeros((1, 2, 6))}]
)
def test_states_of_other_trials_are_refused(change):
    estimator = averaging()
    state = estimator.state()
    with pytest.raises(InvalidValueError, match="must"):
        estimator.restore({**state, **change})
