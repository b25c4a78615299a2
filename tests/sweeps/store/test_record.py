"""All that the store knows of one trial, read at once."""

import numpy as np
import pytest
from stored_examples import TRIAL, make_result

from qhn.core.metrics import ORIGINAL_NAMES
from qhn.core.training.history import History
from qhn.sweeps.store import TrialError, read_record

METRICS = {name: float(place) for place, name in enumerate(ORIGINAL_NAMES)}


def state(*steps):
    history = History()
    for step in steps:
        history.append(step, 1000 + step, METRICS | {"nll": float(step)})
    return {"step": np.array(steps[-1] + 1), "history": history.to_array()}


def test_of_an_unknown_trial_there_is_nothing(store):
    record = read_record(store, TRIAL)
    assert (len(record.history), record.result, record.error) == (0, None, None)


def test_a_trial_at_work_has_a_history(store):
    store.save_checkpoint(TRIAL, state(0, 5))
    record = read_record(store, TRIAL)
    assert (record.history.steps, record.result) == ([0, 5], None)


def test_a_trial_that_is_over_ends_with_its_result(store):
    store.save_checkpoint(TRIAL, state(0, 5))
    store.save_result(make_result(steps=9, metrics=METRICS, finished_ms=77))
    record = read_record(store, TRIAL)
    assert record.history.steps == [0, 5, 9]
    assert record.history.timestamps[-1] == 77
    assert record.history.last() == METRICS


def test_a_result_with_other_metrics_leaves_the_history_as_it_is(store):
    store.save_checkpoint(TRIAL, state(0, 5))
    store.save_result(make_result(steps=9, metrics={"nll": 0.5}))
    record = read_record(store, TRIAL)
    assert (record.history.steps, record.result.steps) == ([0, 5], 9)


@pytest.mark.parametrize("content", [None, b"broken"])
def test_where_the_checkpoint_is_lost_the_result_is_the_history(store, content):
    store.save_result(make_result(steps=9, metrics=METRICS, finished_ms=77))
    if content is not None:
        store.backend.put(f"{TRIAL}/checkpoint.npz", content)
    record = read_record(store, TRIAL)
    assert (record.history.steps, record.history.timestamps) == ([9], [77])
    assert record.history.last() == METRICS
    assert record.result is not None


@pytest.mark.parametrize("odd", [{}, {"history": np.zeros((2, 3))}, {"history": np.array("x")}])
def test_a_history_that_cannot_be_read_is_no_history(store, odd):
    store.save_checkpoint(TRIAL, {"step": np.array(3), **odd})
    store.save_error(TRIAL, TrialError("no", "", 1))
    record = read_record(store, TRIAL)
    assert (len(record.history), record.error.message) == (0, "no")


def test_a_result_that_cannot_be_read_hides_no_history(store):
    store.save_checkpoint(TRIAL, state(0, 5))
    store.backend.put(f"{TRIAL}/result.json", b"{")
    record = read_record(store, TRIAL)
    assert (record.history.steps, record.result) == ([0, 5], None)


def test_a_stop_ends_the_history_that_another_sweep_went_on_with(store):
    """Two sweeps share the training; each sees it up to where it ended there."""
    stop = make_result(status="stopped", steps=5, metrics=METRICS | {"nll": 5.0}, finished_ms=1005)
    store.save_checkpoint(TRIAL, state(0, 5, 8))
    store.save_result(make_result(steps=9, metrics=METRICS))
    record = read_record(store, TRIAL, stop=stop)
    assert (record.history.steps, record.result, record.error) == ([0, 5], stop, None)
    assert read_record(store, TRIAL).history.steps == [0, 5, 8, 9]
    store.backend.delete(f"{TRIAL}/checkpoint.npz")
    assert read_record(store, TRIAL, stop=stop).history.steps == [5]


def test_a_stop_is_no_failure_of_its_sweep(store):
    """Another sweep that went on with the trial may have failed with it."""
    stop = make_result(status="stopped", steps=5, metrics=METRICS)
    store.save_error(TRIAL, TrialError("no", "", 1))
    assert read_record(store, TRIAL, stop=stop).error is None
