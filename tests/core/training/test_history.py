"""Histories: rows in, the same rows out, and nothing that is not a history."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.core.training.history import COLUMNS, METRICS, History


def metrics(value):
    return {name: value + place for place, name in enumerate(METRICS)}


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 10**6), unique=True, max_size=20).map(sorted),
    st.integers(0, 2**50),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_an_array_round_trip_keeps_every_bit(steps, start, value):
    history = History()
    for place, step in enumerate(steps):
        history.append(step, start + place, metrics(value))
    file = io.BytesIO()
    np.save(file, history.to_array())
    file.seek(0)
    again = History.from_array(np.load(file))
    assert again.steps == steps and len(again) == len(steps)
    assert again.timestamps == [start + place for place in range(len(steps))]
    np.testing.assert_array_equal(again.to_array(), history.to_array())


def test_rows_columns_and_the_last_row():
    history = History()
    assert history.last() == {} and history.to_array().shape == (0, 17)
    history.append(0, 1000, metrics(0.5))
    history.append(10, 2000, metrics(1.5))
    assert history.last() == metrics(1.5)
    assert next(history.items()) == (0, 1000, metrics(0.5))
    assert history.to_array()[1].tolist() == [10.0, 2000.0, *metrics(1.5).values()]
    assert history.column("nll").tolist() == [2.5, 3.5]
    assert history.column("timestamp_ms").tolist() == [1000, 2000]
    assert len(COLUMNS) == 17


def test_steps_must_increase_and_metrics_be_complete():
    history = History()
    history.append(5, 0, metrics(0.0))
    with pytest.raises(InvalidValueError, match="step 5 came after 5"):
        history.append(5, 0, metrics(0.0))
    with pytest.raises(InvalidValueError, match="differs in nll"):
        history.append(6, 0, {k: v for k, v in metrics(0.0).items() if k != "nll"})
    with pytest.raises(InvalidValueError, match="column must be one of"):
        history.column("accuracy")


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((2, 16)), r"shape \(rows, 17\)"),
        (np.zeros(17), r"shape \(rows, 17\)"),
        (np.zeros((2, 17), dtype=np.float32), "float32"),
        (np.zeros((2, 17)), "increasing"),
        (np.full((1, 17), 0.5), "whole"),
        (np.full((1, 17), np.nan), "whole"),
        (np.full((1, 17), -1.0), "whole"),
    ],
)
def test_other_arrays_are_refused(array, message):
    with pytest.raises(InvalidValueError, match=message):
        History.from_array(array)
