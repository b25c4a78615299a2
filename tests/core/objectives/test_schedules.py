"""Schedules: their ends, their shape, their rules."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.core.objectives.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Warmup,
    make_schedule,
)

lambdas = st.floats(1e-6, 1e6)


@settings(max_examples=50)
@given(lambdas, lambdas, st.integers(1, 500), st.floats(0.05, 1.0))
def test_values_stay_between_the_ends_and_are_monotone(start, end, total, over):
    for schedule in (
        Warmup(end, start=start, over=over),
        Exponential(start, end, over=over),
        Cosine(start, end),
    ):
        values = [schedule.at(step, total) for step in range(total + 1)]
        assert values[0] == pytest.approx(start)
        assert values[-1] == pytest.approx(end)
        sign = 1 if end >= start else -1
        slack = 1e-12 * max(start, end)
        assert all(sign * (b - a) >= -slack for a, b in pairwise(values))


def test_exponential_decay_is_geometric_and_then_constant():
    schedule = Exponential(30.0, 0.3)
    assert schedule.at(100, 250) == pytest.approx(3.0)
    assert schedule.at(200, 250) == pytest.approx(0.3)
    assert schedule.at(240, 250) == schedule.at(250, 250) == pytest.approx(0.3)


def test_warmup_is_linear():
    schedule = Warmup(10.0)
    assert [schedule.at(s, 8) for s in (0, 1, 2, 4, 8)] == [0.0, 2.5, 5.0, 10.0, 10.0]


def test_cyclic_meets_low_and_high_once_in_each_cycle():
    schedule = Cyclic(1.0, 5.0, cycles=4)
    assert [schedule.at(s, 80) for s in range(0, 81, 20)] == pytest.approx([1.0] * 5)
    assert [schedule.at(s, 80) for s in range(10, 81, 20)] == pytest.approx([5.0] * 4)


def test_constant_is_constant():
    assert {Constant(2.5).at(step, 10) for step in range(11)} == {2.5}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Constant(-1.0),
        lambda: Constant(math.nan),
        lambda: Constant(math.inf),
        lambda: Warmup(1.0, over=0.0),
        lambda: Warmup(1.0, over=1.1),
        lambda: Exponential(0.0, 1.0),
        lambda: Exponential(1.0, 0.0),
        lambda: Cosine(-1.0, 1.0),
        lambda: Cyclic(2.0, 1.0),
        lambda: Cyclic(1.0, 2.0, cycles=0),
        lambda: Cyclic(1.0, 2.0, cycles=1.5),
    ],
)
def test_broken_rules_are_refused(make):
    with pytest.raises(InvalidValueError, match=r"must (hold|be a whole number)"):
        make()


def number(value):
    return f"{value:.4g}"


@pytest.mark.parametrize(
    "schedule, label",
    [
        (Constant(1 / 3), "0.3333"),
        (Warmup(3.0, start=0.5), "warmup:0.5->3"),
        (Exponential(30.0, 0.3), "30->0.3"),
        (Cosine(10.0, 0.0), "cosine:10->0"),
        (Cyclic(0.1, 3.0, cycles=2), "cyclic:0.1-3x2"),
    ],
)
def test_labels_and_what_makes_the_same_schedule_from_its_kind(schedule, label):
    assert schedule.label(number) == label
    assert SCHEDULES[schedule.kind] is type(schedule)
    assert make_schedule(schedule.kind, **vars(schedule)) == schedule


def test_every_schedule_is_listed_by_its_kind():
    assert list(SCHEDULES) == ["constant", "warmup", "exponential", "cosine", "cyclic"]
    assert all(kind == schedule.kind for kind, schedule in SCHEDULES.items())


@pytest.mark.parametrize(
    "kind, values, message",
    [
        ("linear", {"value": 1.0}, "one of constant, warmup, .*, but got 'linear'"),
        ("cosine", {"start": 1.0, "stop": 2.0}, "has the fields start, end, but got start, stop"),
        ("warmup", {"value": 1.0, "over": 2.0}, "`0 < over <= 1` must hold"),
    ],
)
def test_other_kinds_and_fields_are_refused(kind, values, message):
    with pytest.raises(InvalidValueError, match=message):
        make_schedule(kind, **values)
