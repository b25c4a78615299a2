"""Draws of a random search: the formula, and the ends of the floating-point numbers."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.spec.values import LogUniform, Uniform

LARGEST, SMALLEST = sys.float_info.max, math.ulp(0.0)
uniform_numbers = st.floats(0.0, 1.0, exclude_max=True)


def test_draws_of_ordinary_ranges_are_pinned():
    # Trial ids hang on them to the last bit.
    assert LogUniform(low=0.1, high=10).at(0.3) == 0.1 * math.exp(0.3 * math.log(10 / 0.1))
    assert LogUniform(low=1e-4, high=1.0).at(0.9) == 0.3981071705534977
    assert Uniform(low=0.5, high=3).at(0.1) == 2.75


def test_a_range_of_all_numbers_is_loguniform():
    everything = LogUniform(low=SMALLEST, high=LARGEST)
    draws = [everything.at(u) for u in (0.0, 0.25, 0.5, 0.75, 1 - 2**-53)]
    logarithms = [math.log(draw) for draw in draws]
    assert draws[0] == SMALLEST
    expected = [-744.44, -380.88, -17.33, 346.23, 709.78]
    assert logarithms == pytest.approx(expected, abs=0.01)


@given(st.floats(SMALLEST, 1.0), st.floats(1.0, LARGEST, exclude_min=True), uniform_numbers)
def test_logarithmic_draws_stay_in_range(low, high, u):
    assert low <= LogUniform(low=low, high=high).at(u) <= high


@given(st.floats(0.0, 1.0), st.floats(1.0, LARGEST, exclude_min=True), uniform_numbers)
def test_uniform_draws_are_positive(low, high, u):
    assert 0 < Uniform(low=low, high=high).at(u) <= high


def test_zero_is_never_drawn():
    assert Uniform(low=0, high=SMALLEST).at(0.9) == SMALLEST
    rate = "{distribution: uniform, low: 0, high: 5e-324}"
    text = f"""{{name: x, datasets: moons, objectives: mle, seeds: 1,
        training: {{learning_rate: {rate}}}, search: {{kind: random, draws: 20}}}}"""
    assert make_plan(parse_spec(text)).trials[0].config.training.learning_rate == SMALLEST
