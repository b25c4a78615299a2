"""Shots by a schedule: what they are, and that an estimator asks for those of its step."""

from __future__ import annotations

import io

import numpy as np
import pytest
from contract import ANGLES, LAMBDA
from sampling import Counting, sampled

from qhn.core.errors import InvalidValueError
from qhn.core.estimators.shots import (
    ShotSchedule,
    as_shots,
    largest_shots,
    mean_shots,
    shots_at,
    smallest_shots,
    total_shots,
)

GROWING = {"schedule": "exponential", "start": 64, "end": 1024, "over": 1.0}


@pytest.mark.parametrize(
    ("content", "shots"),
    [
        (GROWING, [64, 128, 256, 512, 1024]),
        ({"schedule": "warmup", "start": 10, "value": 20, "over": 1.0}, [10, 13, 15, 18, 20]),
        ({"schedule": "cosine", "start": 8, "end": 2}, [8, 7, 5, 3, 2]),
        ({"schedule": "cyclic", "low": 4, "high": 9, "cycles": 1}, [4, 7, 9, 7, 4]),
        ({"schedule": "constant", "value": 7}, [7] * 5),
        (7, [7] * 5),
    ],
)
def test_shots_are_whole_numbers_with_halves_rounded_up(content, shots):
    made = as_shots(content)
    found = [shots_at(made, step, 4) for step in range(5)]
    assert found == shots and all(type(count) is int for count in found)
    assert (smallest_shots(made), largest_shots(made)) == (min(shots), max(shots))
    assert total_shots(made, 4) == sum(shots)
    assert mean_shots(made, 4) == pytest.approx(np.mean(shots))


def test_what_never_changes_is_a_number():
    assert as_shots({"schedule": "warmup", "start": 8.2, "value": 8.4}) == 8
    assert isinstance(as_shots(GROWING), ShotSchedule)
    assert str(as_shots(GROWING)) == "64->1024,over=1"


def growing(sampler=None):
    shots = as_shots(GROWING)
    return sampled(shots=shots, steps=4, sampler=sampler or Counting())


def test_an_estimator_asks_for_the_shots_of_its_step():
    sampler = Counting()
    estimator = growing(sampler)
    for step in (0, 1, 4):
        estimator.evaluate(ANGLES[0], LAMBDA, step)
        estimator.measure(step)
    assert [shots for _, shots, _ in sampler.asked] == [64, 128, 1024]


def test_a_restored_estimator_knows_how_many_samples_its_strings_are_of():
    first = growing()
    assert first.top_strings(3) == []
    first.evaluate(ANGLES[0], LAMBDA, 1)
    first.measure(1)
    assert sum(top.probability for top in first.top_strings(64)) == pytest.approx(1.0)
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    second = growing()
    with np.load(file, allow_pickle=False) as state:
        second.restore(dict(state))
    assert second.top_strings(64) == first.top_strings(64)
    found = [estimator.evaluate(ANGLES[1], LAMBDA, 2) for estimator in (first, second)]
    assert np.array_equal(found[0].gradient, found[1].gradient)


@pytest.mark.parametrize("wrong", [np.array(3), np.array(-1), np.array([1]), np.array(5000)])
def test_states_with_another_number_of_samples_are_refused(wrong):
    estimator = growing()
    estimator.evaluate(ANGLES[0], LAMBDA, 1)
    estimator.measure(1)
    with pytest.raises(InvalidValueError, match="of another trial"):
        estimator.restore({**estimator.state(), "reported_shots": wrong})


def test_a_schedule_needs_the_number_of_steps():
    with pytest.raises(InvalidValueError, match="needs the number of steps"):
        sampled(shots=as_shots(GROWING))
