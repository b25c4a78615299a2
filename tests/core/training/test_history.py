"""Histories: rows in, the same rows out, whatever version wrote them, and nothing else."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME, ORIGINAL_NAMES
from qhn.core.training.history import History


def metrics(value):
    return {name: value + place for place, name in enumerate(BY_NAME)}


def stored_and_loaded(history):
    file = io.BytesIO()
    np.savez(file, **history.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return History.from_state(dict(loaded))


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 10**6), unique=True, max_size=20).map(sorted),
    st.integers(0, 2**50),
    st.lists(st.text(min_size=1).filter(lambda name: "\0" not in name), unique=True, max_size=5),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_a_round_trip_keeps_names_and_every_bit(steps, start, names, value):
    names = [name for name in names if name not in ("step", "timestamp_ms")]
    history = History()
    for place, step in enumerate(steps):
        history.append(step, start + place, dict.fromkeys(names, value))
    again = stored_and_loaded(history)
    assert again.steps == steps and len(again) == len(steps)
    assert again.timestamps == [start + place for place in range(len(steps))]
    assert again.names == history.names == tuple(names if steps else ())
    assert again.to_array().tobytes() == history.to_array().tobytes()


def test_rows_columns_and_the_last_row():
    history = History()
    assert history.last() == {} and history.to_array().shape == (0, 2)
    history.append(0, 1000, metrics(0.5))
    history.append(10, 2000, metrics(1.5))
    assert history.last() == metrics(1.5)
    assert next(history.items()) == (0, 1000, metrics(0.5))
    assert history.to_array()[1].tolist() == [10.0, 2000.0, *metrics(1.5).values()]
    assert history.column("nll").tolist() == [2.5, 3.5]
    assert history.column("timestamp_ms").tolist() == [1000, 2000]
    assert history.columns == ("step", "timestamp_ms", *BY_NAME)


def test_an_absent_metric_reads_nan_and_is_left_out_and_a_stored_nan_is_not():
    history = History()
    history.append(0, 0, {"objective": math.nan, "swap_share": 0.25})
    history = stored_and_loaded(history)
    assert list(history.last()) == ["objective", "swap_share"]
    assert math.isnan(history.last()["objective"])
    assert [list(row) for _, _, row in history.items()] == [["objective", "swap_share"]]
    assert np.isnan(history.column("nll")).all() and "nll" not in history.names
    # A metric that this version does not know is kept as it is.
    assert history.column("swap_share").tolist() == [0.25]


def test_a_history_without_names_is_of_f0fdd86():
    rows = np.arange(34.0).reshape(2, 17)
    rows[:, :2] = [[0, 1000], [10, 2000]]
    history = History.from_state({"history": rows, "step": np.array(3)})
    assert history.names == ORIGINAL_NAMES
    assert history.last() == dict(zip(ORIGINAL_NAMES, rows[1, 2:], strict=True))
    assert stored_and_loaded(history).to_array().tobytes() == rows.tobytes()


def test_a_history_that_another_version_began_keeps_its_columns():
    history = History.from_array(np.zeros((1, 4)), ("step", "timestamp_ms", "nll", "later"))
    history.append(1, 5, metrics(0.0))
    assert history.columns == ("step", "timestamp_ms", "nll", "later")
    assert history.column("nll").tolist() == [0.0, metrics(0.0)["nll"]]
    np.testing.assert_array_equal(history.column("later"), [0.0, math.nan])


def test_one_without_rows_takes_the_names_of_its_first_row():
    history = History.from_array(np.zeros((0, 17)))
    history.append(0, 0, {"nll": 1.0})
    assert history.names == ("nll",)


def test_steps_must_increase_and_metrics_be_complete():
    history = History()
    history.append(5, 0, metrics(0.0))
    with pytest.raises(InvalidValueError, match="step 5 came after 5"):
        history.append(5, 0, metrics(0.0))
    with pytest.raises(InvalidValueError, match="lacks nll"):
        history.append(6, 0, {k: v for k, v in metrics(0.0).items() if k != "nll"})
    with pytest.raises(InvalidValueError, match=r"column must be one of step, .*, nll, "):
        history.column("accuracy")
    assert len(history) == 1


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


@pytest.mark.parametrize(
    "names, message",
    [
        (np.array(["step", "timestamp_ms"]), r"shape \(rows, 2\)"),
        (np.array(["timestamp_ms", "step", "nll"]), "begin with step and timestamp_ms"),
        (np.array(["step", "timestamp_ms", "step"]), "each name once"),
        (np.array([1.0, 2.0, 3.0]), "list of names"),
        (np.array("step"), "list of names"),
    ],
)
def test_other_columns_are_refused(names, message):
    with pytest.raises(InvalidValueError, match=message):
        History.from_state({"history": np.zeros((1, 3)), "history_columns": names})
