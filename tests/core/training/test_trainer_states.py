"""States of a trainer: put away anywhere, taken up again, and refused where they do not fit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.by_hand import Squared, make, run

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import ORIGINAL_NAMES
from qhn.core.training.optimisers import SGD, Adam


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 24), min_size=1, max_size=3),
    st.sampled_from([1, 7, 10, 50]),
    st.sampled_from([lambda: Adam(0.1), lambda: SGD(0.1), lambda: SGD(0.1, momentum=0.5)]),
    st.sampled_from([None, 32]),
)
def test_a_trainer_stopped_anywhere_ends_bit_identical(stops, every, optimiser, prior_samples):
    def fresh():
        return make(
            optimiser=optimiser(),
            report_every=every,
            objective=Squared(prior_samples=prior_samples),
        )

    whole = run(fresh())
    trainer = fresh()
    for stop in sorted(stops):
        while not trainer.finished and trainer.step < stop:
            trainer.advance()
        if stop == 24:
            run(trainer)
        file = io.BytesIO()
        np.savez(file, **trainer.state())
        file.seek(0)
        stamps = trainer.history.timestamps
        trainer = fresh()
        with np.load(file, allow_pickle=False) as state:
            trainer.restore(dict(state))
        assert trainer.history.timestamps == stamps
    run(trainer)
    assert np.array_equal(trainer.parameters, whole.parameters)
    ours, theirs = trainer.history.to_array(), whole.history.to_array()
    assert np.array_equal(np.delete(ours, 1, axis=1), np.delete(theirs, 1, axis=1))
    assert trainer.top_strings(5) == whole.top_strings(5)


def test_a_state_does_not_change_when_training_goes_on():
    trainer = make()
    trainer.advance()
    state = trainer.state()
    kept = {name: array.copy() for name, array in state.items()}
    run(trainer)
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


def test_a_checkpoint_of_f0fdd86_goes_on_bit_for_bit():
    source = make()
    for _ in range(14):
        source.advance()
    state = {k: v for k, v in source.state().items() if k != "history_columns"}
    assert state["history"].shape == (2, 17)
    trainer = make()
    trainer.restore(state)
    assert trainer.history.names == ORIGINAL_NAMES
    run(trainer)
    whole = run(source).state()
    numbers = trainer.state()
    assert set(numbers) == set(whole)
    for name in set(whole) - {"history"}:
        assert np.array_equal(numbers[name], whole[name])
    rows = [np.delete(s["history"], 1, axis=1) for s in (numbers, whole)]
    assert np.array_equal(*rows)


def broken(state, **changes):
    return {k: v for k, v in {**state, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"history": None}, "must hold step, parameters, reported_parameters, history"),
        ({"surprise": np.zeros(1)}, "but got history, history_columns, parameters, .*surprise"),
        ({"step": np.array(99)}, r"`0 <= step <= 23` must hold, but got step=99"),
        ({"step": np.array(1.5)}, "one integer"),
        ({"step": np.array([1])}, "one integer"),
        ({"step": np.array(11)}, r"must have the steps \[0, 10\], but got \[0\]"),
        ({"history": np.zeros((1, 3))}, r"shape \(rows, 17\)"),
        ({"history_columns": np.array(["step"])}, "must begin with step and timestamp_ms"),
        ({"history": np.zeros((0, 17))}, r"must have the steps \[0\], but got \[\]"),
        ({"parameters": np.zeros((2, 2, 6))}, r"parameters must have the shape \(1, 2, 6\)"),
        ({"parameters": np.zeros((1, 2, 6), np.float32)}, "float64"),
        ({"reported_parameters": np.zeros(3)}, "reported_parameters must have the shape"),
        ({"optimiser.mean": None}, "Adam after 5 updates must hold count, mean, square"),
        ({"optimiser.mean": np.zeros(3)}, r"mean of Adam must have the shape \(1, 2, 6\)"),
        ({"optimiser.count": np.array(6.0)}, "must be the number of updates, 5, but got 6"),
        (
            {"optimiser.mean": None, "optimiser.count": None, "optimiser.square": None},
            "but got nothing",
        ),
    ],
)
def test_states_that_do_not_fit_are_refused_and_change_nothing(changes, message):
    source = make()
    for _ in range(5):
        source.advance()
    trainer = make()
    with pytest.raises(InvalidValueError, match=message):
        trainer.restore(broken(source.state(), **changes))
    np.testing.assert_array_equal(run(trainer).parameters, run(make()).parameters)
