"""What every estimator must do; a class of tests for each kind inherits from `EstimatorContract`.

Numbers are held against brute force over all 2^N networks: exactly where an estimator claims to
be exact, else within a few of the standard errors that it claims.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from oracles import circuit

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.bits import all_bits, bit_string
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.estimator import Estimator
from qhn.core.evaluation.problem import build_problem
from qhn.core.metrics import BY_NAME

PROBLEM = build_problem(make_dataset("moons", train=30, test=20, seed=2), networks.mlp(2, 1))
ANSATZ = Ansatz.brickwork(n_qubits=6, depth=2)
BANDWIDTH = 1.5
LAMBDA = 7.0
ANGLES = np.random.default_rng(8).uniform(0, 2 * np.pi, (4, *ANSATZ.parameter_shape))


@dataclass
class Case:
    """One fresh estimator, and how often its device has been asked for anything."""

    estimator: Estimator
    calls: Callable[[], int]


def brute_force(name: str, q: np.ndarray) -> float:
    """The objective by its definition, of the distribution q."""
    nll = q @ PROBLEM.nll
    weight = LAMBDA / PROBLEM.n_train
    if name == "elbo":
        return float(nll + weight * (q * np.log(np.maximum(q, 1e-300) * q.size)).sum())
    if name == "selbo":
        bits = all_bits(6).astype(float)
        distances = ((bits[:, None] - bits[None]) ** 2).sum(axis=2)
        off = q - 1 / q.size
        return float(nll + weight * off @ np.exp(-distances / (2 * BANDWIDTH**2)) @ off)
    return float(nll)


class EstimatorContract:
    """Subclasses say how a case is made, and which objectives the estimator can estimate.

    Attributes:
        objectives: names, of those in `brute_force`.
        errors: how many standard errors a number may be off.
        rounding: how far it may be off besides; derivatives a thousand times as far, which is
            what finite differences are good for.
    """

    objectives: tuple[str, ...] = ()
    errors = 5.0
    rounding = 1e-12

    def make(self, name: str, seed: int = 3) -> Case:
        """A fresh estimator of `PROBLEM` and `ANSATZ`, with `BANDWIDTH`."""
        raise NotImplementedError

    def distribution(self, angles: np.ndarray) -> np.ndarray:
        """What the device's outcomes follow: the circuit applied gate by gate."""
        return circuit.probabilities(ANSATZ, angles)

    def pytest_generate_tests(self, metafunc):
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", self.objectives)

    def allowed(self, evaluation, part: str) -> float:
        return self.errors * (evaluation.standard_errors or {}).get(part, 0.0)

    def test_values_are_those_of_brute_force(self, name):
        case = self.make(name)
        for step, angles in enumerate(ANGLES):
            found = case.estimator.evaluate(angles, LAMBDA, step)
            off = abs(found.value - brute_force(name, self.distribution(angles)))
            assert off <= self.allowed(found, "objective") + self.rounding

    def test_gradients_are_those_of_finite_differences(self, name):
        found = self.make(name).estimator.evaluate(ANGLES[0], LAMBDA, 0)
        assert found.gradient.shape == ANSATZ.parameter_shape
        step = 1e-5
        for index in np.ndindex(ANSATZ.parameter_shape):
            moved = np.zeros(ANSATZ.parameter_shape)
            moved[index] = step
            up, down = (
                brute_force(name, self.distribution(ANGLES[0] + sign * moved)) for sign in (1, -1)
            )
            off = abs(found.gradient[index] - (up - down) / (2 * step))
            assert off <= self.allowed(found, "gradient_norm") + 1000 * self.rounding

    def test_angles_that_are_given_stay_as_they_are(self, name):
        given = ANGLES[0].copy()
        self.make(name).estimator.evaluate(given, LAMBDA, 0)
        assert np.array_equal(given, ANGLES[0])

    def test_measuring_asks_the_device_for_nothing_more(self, name):
        case = self.make(name)
        case.estimator.evaluate(ANGLES[0], LAMBDA, 0)
        before = case.calls()
        assert before > 0
        measured = case.estimator.measure(0)
        assert case.calls() == before
        assert set(measured) <= set(BY_NAME) - {"objective", "lambda", "gradient_norm"}
        assert {"nll", "train_accuracy_expected"} <= set(measured)

    def test_measurements_are_of_the_last_evaluated_angles(self, name):
        estimator, same = self.make(name).estimator, self.make(name).estimator
        moving = ANGLES[0].copy()
        estimator.evaluate(ANGLES[1], LAMBDA, 0)
        estimator.evaluate(moving, LAMBDA, 1)
        moving += 1.0
        same.evaluate(ANGLES[0], LAMBDA, 1)
        assert estimator.measure(1) == same.measure(1)
        assert estimator.top_strings(5) == same.top_strings(5)

    def test_nothing_is_measured_before_it_is_evaluated(self, name):
        with pytest.raises(InvalidValueError, match="`evaluate` must be called before `measure`"):
            self.make(name).estimator.measure(0)

    def test_the_same_seed_gives_the_same_numbers_whatever_came_before(self, name):
        one, other = self.make(name).estimator, self.make(name).estimator
        one.evaluate(ANGLES[2], LAMBDA, 6)
        one.measure(6)
        found = [estimator.evaluate(ANGLES[0], LAMBDA, 7) for estimator in (one, other)]
        assert found[0].value == found[1].value
        assert np.array_equal(found[0].gradient, found[1].gradient)
        assert found[0].standard_errors == found[1].standard_errors
        assert one.measure(7) == other.measure(7)

    def test_top_strings_are_of_the_last_measured_angles_likeliest_first(self, name):
        estimator = self.make(name).estimator
        estimator.evaluate(ANGLES[0], LAMBDA, 0)
        estimator.measure(0)
        estimator.evaluate(ANGLES[1], LAMBDA, 1)
        top = estimator.top_strings(10)
        chances = [string.probability for string in top]
        assert 0 < len(top) <= 10 and chances == sorted(chances, reverse=True)
        q = self.distribution(ANGLES[0])
        for string in top:
            index = int(string.bits, 2)
            assert string.bits == bit_string(index, 6)
            assert string.nll == pytest.approx(PROBLEM.nll[index], abs=1e-12)
            assert string.train_accuracy == pytest.approx(PROBLEM.train_accuracy[index])
            assert string.test_accuracy == pytest.approx(PROBLEM.test_accuracy[index])
            assert self.is_chance(string.probability, q[index])
        with pytest.raises(InvalidValueError, match="`k >= 1`"):
            estimator.top_strings(0)

    def is_chance(self, found: float, chance: float) -> bool:
        """Whether a string's probability may be reported so; frequencies have errors."""
        return abs(found - chance) <= self.rounding

    def test_a_restored_estimator_goes_on_with_the_same_numbers(self, name):
        first = self.make(name).estimator
        names = set(first.state())
        first.evaluate(ANGLES[0], LAMBDA, 0)
        first.measure(0)
        first.evaluate(ANGLES[1], LAMBDA, 1)
        file = io.BytesIO()
        np.savez(file, **first.state())
        file.seek(0)
        second = self.make(name).estimator
        with np.load(file, allow_pickle=False) as state:
            second.restore(dict(state))
        assert set(first.state()) == set(second.state()) == names
        assert second.top_strings(8) == first.top_strings(8)
        with pytest.raises(InvalidValueError, match="`evaluate` must be called before"):
            second.measure(2)
        found = [estimator.evaluate(ANGLES[2], LAMBDA, 2) for estimator in (first, second)]
        assert found[0].value == found[1].value
        assert np.array_equal(found[0].gradient, found[1].gradient)
        assert first.measure(2) == second.measure(2)

    def test_states_are_copies_and_others_are_refused(self, name):
        estimator = self.make(name).estimator
        estimator.evaluate(ANGLES[0], LAMBDA, 0)
        estimator.measure(0)
        kept = {key: array.copy() for key, array in estimator.state().items()}
        state = estimator.state()
        estimator.evaluate(ANGLES[1], LAMBDA, 1)
        estimator.measure(1)
        assert all(np.array_equal(state[key], kept[key]) for key in kept)
        before, top = estimator.state(), estimator.top_strings(4)
        for wrong in ({}, {**kept, "surprise": np.zeros(1)}):
            with pytest.raises(InvalidValueError, match="must hold"):
                estimator.restore(wrong)
        after = estimator.state()
        assert all(np.array_equal(after[key], before[key]) for key in before)
        assert estimator.top_strings(4) == top

    def test_limits_are_those_of_the_problem(self, name):
        limits = self.make(name).estimator.limits
        assert limits.prior_entropy == pytest.approx(6 * np.log(2))
        assert limits.chance == pytest.approx(PROBLEM.train_accuracy.mean(), abs=0.1)
        assert limits.gradient > 0
