"""Landscapes against the objective at each point, and planes against their definition."""

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import make_dataset
from qhn.core.engine.engine import Engine, probabilities
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import build_problem
from qhn.core.landscape.planes import Plane, distinct, landscape, random_plane
from qhn.core.objectives.objective import Objective

PROBLEM = build_problem(make_dataset("moons", train=10, test=10), networks.mlp(2, 1))
ANSATZ = Ansatz(6, 2, "ring", False)
CENTRE = np.random.default_rng(1).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)


def test_values_are_those_of_the_objectives_point_by_point():
    objectives = [(Objective.of(name, PROBLEM), 3.0) for name in ("mle", "elbo", "selbo")]
    plane = random_plane(ANSATZ, CENTRE, seed=5)
    found = landscape(plane, Engine(ANSATZ), objectives, extent=2.0, points=5)
    assert found.steps.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    for i, j in np.ndindex(5, 5):
        s, t = found.steps[i], found.steps[j]
        q = probabilities(ANSATZ, CENTRE + s * plane.first + t * plane.second)
        for values, (objective, lambda_) in zip(found.values, objectives, strict=True):
            assert values[i, j] == objective.value_and_observable(q, lambda_)[0]


def test_random_directions_are_orthogonal_of_size_one_and_seeded():
    one, again = (random_plane(ANSATZ, CENTRE, 5, 3) for _ in range(2))
    assert (one.first == again.first).all() and (one.second == again.second).all()
    assert (one.first * one.second).sum() == pytest.approx(0.0, abs=1e-12)
    for direction in (one.first, one.second):
        assert np.sqrt(np.mean(direction**2)) == pytest.approx(1.0)
    others = [random_plane(ANSATZ, CENTRE, 6, 3), random_plane(ANSATZ, CENTRE, 5, 4)]
    assert all(not np.allclose(one.first, other.first) for other in others)


def test_values_that_are_close_count_once():
    values = np.array([0.5, 0.1, 0.1 + 4e-4, 0.1 + 8e-4, 0.5, 0.9])
    assert distinct(values, 5e-4) == 3
    assert distinct(values, 1e-4) == 5
    assert distinct(np.array([]), 1.0) == 0


def test_mistakes_in_planes():
    with pytest.raises(InvalidValueError, match="the same shape"):
        Plane(CENTRE, CENTRE[0], CENTRE)
    with pytest.raises(InvalidValueError, match="the first of a plane must be finite"):
        Plane(CENTRE, CENTRE * np.nan, CENTRE)
    plane, engine = random_plane(ANSATZ, CENTRE, 0), Engine(ANSATZ)
    for options, words in (({"points": 2}, "points >= 3"), ({"extent": 0.0}, "extent > 0")):
        with pytest.raises(InvalidValueError, match=words):
            landscape(plane, engine, [], **options)
    sampled = Objective.of("selbo", PROBLEM, prior_samples=4)
    with pytest.raises(InvalidValueError, match="closed form"):
        landscape(plane, engine, [(sampled, 1.0)])
