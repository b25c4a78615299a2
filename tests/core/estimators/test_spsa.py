"""Gradients from two circuits, in which all angles have moved at once."""

from __future__ import annotations

import numpy as np
import pytest
from contract import ANGLES, LAMBDA, Case, EstimatorContract, brute_force
from sampling import Counting, is_frequency, sampled

from qhn.core.errors import InvalidValueError
from qhn.core.estimators.spsa import SpsaEstimator


def spsa(**changes):
    return sampled(kind=SpsaEstimator, **changes)


class TestSpsaEstimator(EstimatorContract):
    objectives = ("mle", "selbo")

    def make(self, name, seed=3):
        sampler = Counting()
        return Case(spsa(name=name, seed=seed, sampler=sampler), lambda: len(sampler.asked))

    def is_chance(self, found, chance):
        return is_frequency(found, chance, 500)

    def test_gradients_are_those_of_finite_differences(self, name):
        # Of a gradient from two circuits only the derivative along their direction is right.
        z = []
        for step in range(60):
            sampler = Counting()
            found = spsa(name=name, sampler=sampler).evaluate(ANGLES[0], LAMBDA, step)
            up, down, here = sampler.asked[0][0]
            assert np.array_equal(here, ANGLES[0])
            move = (up - down) / 2
            ahead, behind = (brute_force(name, self.distribution(at)) for at in (up, down))
            slope = (ahead - behind) / 2
            z.append(
                (np.sum(found.gradient * move) / move.size - slope)
                / (found.gradient_errors.max() * np.abs(move).max())
            )
        assert np.abs(z).max() < 5
        assert 0.5 < np.square(z).mean() < 1.6


def test_a_step_runs_two_circuits_and_a_report_one_more():
    sampler = Counting()
    estimator = spsa(sampler=sampler)
    estimator.evaluate(ANGLES[0], LAMBDA, 0, report=False)
    with pytest.raises(InvalidValueError, match="before `measure`, with `report`"):
        estimator.measure(0)
    estimator.evaluate(ANGLES[0], LAMBDA, 1)
    assert sampler.circuits == [2, 3]


def test_a_report_leaves_the_gradient_as_it_is():
    found = [spsa().evaluate(ANGLES[0], LAMBDA, 4, report=report) for report in (True, False)]
    assert np.array_equal(found[0].gradient, found[1].gradient)


def test_all_angles_move_by_the_same_amount_which_falls_from_step_to_step():
    sampler = Counting()
    for step in (0, 99):
        spsa(sampler=sampler).evaluate(ANGLES[0], LAMBDA, step, report=False)
    (first, _, _), (late, _, _) = sampler.asked
    assert np.abs(first[0] - ANGLES[0]) == pytest.approx(0.2)
    assert np.abs(late[0] - ANGLES[0]) == pytest.approx(0.2 / 100**0.101)
    assert 0.2 < np.mean(first[0] > ANGLES[0]) < 0.8
