"""Optimisers against their equations, and states that go on bit for bit."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError
from qhn.core.training.optimisers import OPTIMISERS, SGD, Adam, FallingSGD

MAKERS = {
    "adam": lambda: Adam(0.1),
    "sgd": lambda: SGD(0.05),
    "momentum": lambda: SGD(0.05, momentum=0.9),
    "spsa": lambda: FallingSGD(1.0),
}


def test_adam_follows_its_equations():
    rng = np.random.default_rng(0)
    theta, m, v = 0.7, 0.0, 0.0
    parameters = np.full((1, 2, 3), theta)
    adam = Adam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-6)
    for t in range(1, 12):
        g = rng.normal()
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g * g
        theta -= 0.02 * (m / (1 - 0.8**t)) / (math.sqrt(v / (1 - 0.95**t)) + 1e-6)
        adam.update(parameters, np.full(parameters.shape, g))
    np.testing.assert_allclose(parameters, theta, rtol=1e-12)


def test_momentum_follows_its_equations():
    theta, u = 1.0, 0.0
    parameters = np.array([theta])
    sgd = SGD(0.1, momentum=0.5)
    for g in (1.0, -2.0, 0.5):
        u = 0.5 * u + g
        theta -= 0.1 * u
        sgd.update(parameters, np.array([g]))
    assert parameters[0] == pytest.approx(theta, rel=1e-14)


def test_the_rate_of_spsa_falls_as_its_gains():
    parameters = np.zeros(1)
    falling = FallingSGD(16.0)
    for t in range(3):
        before = parameters.copy()
        falling.update(parameters, np.ones(1))
        assert (before - parameters)[0] == pytest.approx(16.0 / (50 + t + 1) ** 0.602)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_quadratic_is_minimised_in_place(make):
    parameters = np.array([3.0, -2.0])
    same = parameters
    optimiser = make()
    for _ in range(400):
        optimiser.update(parameters, 2 * parameters)
    assert same is parameters
    assert np.abs(parameters).max() < 1e-3


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("steps_before", [0, 1, 7])
def test_a_restored_state_goes_on_bit_for_bit(make, steps_before):
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(20, 2, 2, 3))
    parameters = rng.normal(size=(2, 2, 3))
    whole = make()
    for g in gradients[:steps_before]:
        whole.update(parameters, g)
    file = io.BytesIO()
    np.savez(file, **whole.state())
    file.seek(0)
    resumed, copy = make(), parameters.copy()
    with np.load(file, allow_pickle=False) as loaded:
        resumed.restore(dict(loaded), parameters.shape, steps_before)
    for g in gradients[steps_before:]:
        whole.update(parameters, g)
        resumed.update(copy, g)
    assert np.array_equal(parameters, copy)


def test_a_state_is_a_copy():
    adam, parameters = Adam(), np.zeros(2)
    adam.update(parameters, np.ones(2))
    before = adam.state()
    adam.update(parameters, np.ones(2))
    assert before["mean"][0] == pytest.approx(0.1)


def test_states_of_another_kind_are_refused():
    sgd = SGD()
    sgd.update(np.zeros(2), np.ones(2))
    with pytest.raises(InvalidValueError, match="must hold count, mean, square, but got velocity"):
        Adam().restore(sgd.state(), (2,), 1)
    with pytest.raises(InvalidValueError, match="SGD after 0 updates must hold nothing, but got v"):
        SGD().restore(sgd.state(), (2,), 0)
    with pytest.raises(InvalidValueError, match=r"velocity of SGD must have the shape \(3,\)"):
        SGD().restore(sgd.state(), (3,), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"square": np.ones(3)}, r"square of Adam must have the shape \(2,\), but got \(3,\)"),
        ({"mean": np.array(0.0)}, r"mean of Adam must have the shape \(2,\), but got \(\)"),
        ({"count": np.array(math.nan)}, "number of updates, 1, but got nan"),
        ({"count": np.array(1.5)}, "number of updates, 1, but got 1.5"),
    ],
)
def test_a_refused_state_changes_nothing(change, message):
    adam, parameters = Adam(), np.zeros(2)
    adam.update(parameters, np.ones(2))
    before = adam.state()
    with pytest.raises(InvalidValueError, match=message):
        adam.restore(before | change, (2,), 1)
    after = adam.state()
    assert all(np.array_equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Adam(0.0),
        lambda: Adam(math.nan),
        lambda: Adam(beta1=1.0),
        lambda: Adam(beta2=-0.1),
        lambda: Adam(epsilon=0.0),
        lambda: SGD(-1.0),
        lambda: SGD(momentum=1.0),
        lambda: FallingSGD(0.0),
    ],
)
def test_broken_rules_are_refused(make):
    with pytest.raises(InvalidValueError, match="must hold"):
        make()


def test_every_optimiser_is_made_by_its_name_from_a_learning_rate():
    made = {name: optimiser(0.25) for name, optimiser in OPTIMISERS.items()}
    assert list(made) == ["adam", "sgd", "spsa"]
    assert all(optimiser.learning_rate == 0.25 for optimiser in made.values())
