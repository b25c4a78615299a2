"""A trial in one process: interrupted anywhere, it ends with the same bytes."""

from dataclasses import replace

import numpy as np
import pytest

from qhn.devices import open_device
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store, read_record, results_digest
from qhn.sweeps.trial.session import TrialSession

CONFIG = TrialConfig.model_validate(
    {
        "dataset": {"name": "moons", "test": 50},
        "network": {"kind": "mlp", "hidden": 1},
        "objective": {
            "name": "selbo",
            "lambda": {"schedule": "cosine", "start": 30.0, "end": 1.0},
            "bandwidth": 1.5,
            "prior_samples": 8,
        },
        "training": {"steps": 60, "report_every": 7},
        "seed": 5,
    }
)


@pytest.fixture(scope="module")
def problem():
    return build.problem(CONFIG)


def session(problem, store):
    return TrialSession(CONFIG, problem, open_device("exact", build.ansatz(CONFIG)), store)


def finish(problem, store, pieces):
    """Train with a new session after each number of reports, as after a crash."""
    for reports in pieces:
        current = session(problem, store)
        for _ in range(reports):
            current.work(0.0)
    current = session(problem, store)
    while not current.work(0.0).finished:
        pass
    return store.result(CONFIG.trial_id)


def test_interruptions_leave_no_trace(problem, tmp_path):
    whole = finish(problem, open_store(str(tmp_path / "whole")), [])
    assert whole.steps == 60
    assert whole.status == "finished"
    for number, pieces in enumerate([[1], [3, 2], [1, 1, 1, 1], [0, 9], [10]]):
        store = open_store(str(tmp_path / str(number)))
        pieced = finish(problem, store, pieces)
        assert results_digest([pieced]) == results_digest([whole])
        assert pieced.top_strings == whole.top_strings
        assert pieced.flags == whole.flags
        history = store.checkpoint(CONFIG.trial_id)["history"]
        assert np.array_equal(history[:, 0], [*range(0, 60, 7), 60])


def test_time_stamps_of_reported_rows_are_kept(problem, tmp_path):
    store = open_store(str(tmp_path))
    session(problem, store).work(0.0)
    before = store.checkpoint(CONFIG.trial_id)["history"]
    finish(problem, store, [])
    after = store.checkpoint(CONFIG.trial_id)["history"]
    assert np.array_equal(after[: len(before)], before)


def test_a_checkpoint_of_another_version_is_set_aside(problem, tmp_path):
    expected = finish(problem, open_store(str(tmp_path / "good")), [])
    store = open_store(str(tmp_path / "bad"))
    for odd in ({"step": np.array(3)}, {"notes": np.zeros(2, dtype=np.uint8)}):
        store.save_checkpoint(CONFIG.trial_id, odd)
        current = session(problem, store)
        assert current.trainer.step == 0
        assert (store.root / CONFIG.trial_id / "checkpoint.unreadable").exists()
    assert results_digest([finish(problem, store, [])]) == results_digest([expected])


def test_a_trial_killed_before_its_result_was_written_gets_it(problem, tmp_path):
    store = open_store(str(tmp_path))
    expected = finish(problem, store, [])
    (store.root / CONFIG.trial_id / "result.json").unlink()
    again = session(problem, store)
    assert again.work(0.0).finished
    seconds = store.result(CONFIG.trial_id).training_seconds
    assert store.result(CONFIG.trial_id) == replace(expected, training_seconds=seconds)


def test_two_sweeps_with_the_same_trial_do_not_set_each_other_back(problem, tmp_path):
    store = open_store(str(tmp_path))
    slow = session(problem, store)
    slow.work(0.0)
    expected = finish(problem, store, [])
    slow.work(0.0)
    record = read_record(store, CONFIG.trial_id)
    assert record.history.steps == [*range(0, 60, 7), 60]
    assert not slow.trainer.finished
    while not slow.work(0.0).finished:
        pass
    assert store.result(CONFIG.trial_id) == expected


@pytest.mark.parametrize("content", [None, b"of no use"])
def test_a_result_whose_checkpoint_is_lost_is_a_history_of_one_row(problem, tmp_path, content):
    store = open_store(str(tmp_path))
    result = finish(problem, store, [])
    path = store.root / CONFIG.trial_id / "checkpoint.npz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    history = read_record(store, CONFIG.trial_id).history
    assert (history.steps, history.timestamps) == ([60], [result.finished_ms])
    assert history.last() == result.metrics
