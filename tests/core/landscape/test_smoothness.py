"""Minima, variation and curvature of functions for which they are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.core.landscape.smoothness import smoothness, strict_minima


def grid(function, points=201, extent=np.pi):
    s = np.linspace(-extent, extent, points)
    return function(*np.meshgrid(s, s, indexing="ij")), s[1] - s[0]


@given(st.integers(1, 4), st.integers(1, 4))
def test_waves_have_as_many_minima_as_they_have_valleys(a, b):
    # cos(a·s) + cos(b·t) on [−π, π] has a valley at each odd multiple of π/a, of which those at the
    # border are no inner points.
    values, _ = grid(lambda s, t: np.cos(a * s) + np.cos(b * t))

    def inside(n):
        places = (2 * np.arange(-n, n + 1) + 1) * np.pi / n
        return int((np.abs(places) < np.pi - 1e-9).sum())

    # 201 points rarely hit a valley exactly, so that two equal neighbours can share it.
    assert strict_minima(values) <= inside(a) * inside(b)
    tilted, _ = grid(lambda s, t: np.cos(a * s) + np.cos(b * t) + 1e-3 * s + 7e-4 * t)
    assert strict_minima(tilted) == inside(a) * inside(b)


def test_a_bowl_has_one_minimum_and_a_slope_none():
    bowl, spacing = grid(lambda s, t: s**2 + 3 * t**2)
    found = smoothness(bowl, spacing)
    assert found.minima == 1
    # |f''| is 2 and 6, and |f'| is 2|s| and 6|t|, whose means are π and 3π.
    assert found.curvature == pytest.approx(4.0)
    assert found.total_variation == pytest.approx(2 * np.pi, rel=0.01)
    slope, spacing = grid(lambda s, t: 2 * s - t)
    found = smoothness(slope, spacing)
    assert (found.minima, found.curvature) == (0, pytest.approx(0.0, abs=1e-9))
    assert found.total_variation == pytest.approx(1.5)


@given(st.floats(0.01, 100))
def test_what_is_divided_by_the_range_does_not_depend_on_the_scale(factor):
    values, spacing = grid(lambda s, t: np.sin(3 * s) * np.cos(t), points=41)
    one, other = smoothness(values, spacing), smoothness(factor * values, spacing)
    assert other.total_variation == pytest.approx(factor * one.total_variation)
    assert other.variation_by_range == pytest.approx(one.variation_by_range)
    assert other.curvature_by_range == pytest.approx(one.curvature_by_range)
    assert other.minima == one.minima


def test_plateaus_are_no_strict_minima():
    flat = smoothness(np.zeros((5, 5)), 1.0)
    assert (flat.minima, flat.variation_by_range) == (0, 0.0)


@pytest.mark.parametrize(
    ("values", "spacing", "words"),
    [
        (np.zeros((2, 5)), 1.0, "n and m at least 3"),
        (np.full((3, 3), np.nan), 1.0, "must be finite"),
        (np.zeros((3, 3)), 0.0, "spacing > 0"),
    ],
)
def test_mistakes_in_grids(values, spacing, words):
    with pytest.raises(InvalidValueError, match=words):
        smoothness(values, spacing)
