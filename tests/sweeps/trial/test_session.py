"""A trial in one process: interrupted anywhere, it ends with the same bytes."""

import math
from dataclasses import replace

import numpy as np
import pytest

import qhn
from qhn.core.errors import DivergedError
from qhn.core.simd.processor import processor_text
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store, read_record, results_digest
from qhn.sweeps.store.local import local_folder
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
    return factory.problem(CONFIG)


def session(problem, store):
    """A session on the trial, as any process that takes it up makes one."""
    return TrialSession(CONFIG, problem, CONFIG.device.open(factory.ansatz(CONFIG)), store)


def finish(problem, store, pieces):
    """Train with a new session after each number of reports, as after a crash."""
    for reports in pieces:
        current = session(problem, store)
        for _ in range(reports):
            current.work(math.inf, until_report=True)
    current = session(problem, store)
    while not current.work(math.inf, until_report=True).finished:
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
    session(problem, store).work(math.inf, until_report=True)
    before = store.checkpoint(CONFIG.trial_id)["history"]
    finish(problem, store, [])
    after = store.checkpoint(CONFIG.trial_id)["history"]
    assert np.array_equal(after[: len(before)], before)


def odd_states(problem, tmp_path):
    """Checkpoints that can be read and yet cannot be used."""
    other = TrialConfig.model_validate({**CONFIG.content(), "ansatz": {"depth": 3}})
    state = TrialSession(other, problem, other.device.open(factory.ansatz(other)), None).state()
    yield {"step": np.array(3)}
    yield {"notes": np.zeros(2, dtype=np.uint8)}
    yield state  # of another circuit
    yield {**session(problem, None).state(), "notes": np.frombuffer(b"[]", dtype=np.uint8)}


def test_a_checkpoint_that_does_not_fit_is_set_aside_and_told_of(problem, tmp_path):
    expected = finish(problem, open_store(str(tmp_path / "good")), [])
    store = open_store(str(tmp_path / "bad"))
    for number, odd in enumerate(odd_states(problem, tmp_path)):
        store.save_checkpoint(CONFIG.trial_id, odd)
        current = session(problem, store)
        assert current.trainer.step == 0
        (note,) = current.notes
        assert f"{CONFIG.trial_id}/checkpoint.npz cannot be used" in note
        assert "is trained again" in note
        kept = list((local_folder(store) / CONFIG.trial_id).glob("checkpoint.unreadable*"))
        assert len(kept) == number + 1
    assert results_digest([finish(problem, store, [])]) == results_digest([expected])


def test_a_piece_of_work_ends_by_the_clock_also_between_two_reports(problem, tmp_path):
    store = open_store(str(tmp_path))
    current = session(problem, store)
    progress = current.work(0.0)  # one step, then the time is over
    assert (progress.step, progress.finished) == (0, False)
    current.work(0.0)
    assert store.checkpoint(CONFIG.trial_id)["step"] == 2
    assert store.checkpoint(CONFIG.trial_id)["history"].shape[0] == 1
    resumed = session(problem, store)
    assert resumed.trainer.step == 2
    whole = finish(problem, open_store(str(tmp_path / "whole")), [])
    while not resumed.work(0.0).finished:
        pass
    assert results_digest([store.result(CONFIG.trial_id)]) == results_digest([whole])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, about such numbers
def test_a_training_that_diverges_is_a_failure_with_its_flag(problem, tmp_path):
    content = CONFIG.content()
    content["training"]["learning_rate"] = 1e308
    wild = TrialConfig.model_validate(content)
    store = open_store(str(tmp_path))
    for _ in range(2):  # from its checkpoint it comes to the same end
        current = TrialSession(wild, problem, wild.device.open(factory.ansatz(wild)), store)
        with pytest.raises(DivergedError, match=r"finite numbers, but at step .* learning rate"):
            current.work(math.inf)
        assert "diverged" in current.flags()
        assert store.result(wild.trial_id) is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_trial_is_not_stopped_at_a_report_that_is_not_finite(problem, tmp_path):
    """Its gradient overflows at first; without early stopping it would go on for a while."""
    content = CONFIG.content()
    content["objective"] = {"name": "elbo", "lambda": {"schedule": "constant", "value": 1e158}}
    wild = TrialConfig.model_validate(content)
    device = wild.device.open(factory.ansatz(wild))
    current = TrialSession(wild, problem, device, open_store(str(tmp_path)))
    current.work(0.0)
    assert current.trainer.history.last()["gradient_norm"] == math.inf
    assert current.stop() is None


def test_what_a_result_was_computed_with_is_kept(problem, tmp_path):
    result = finish(problem, open_store(str(tmp_path)), [])
    assert result.version == qhn.__version__
    assert result.processor == processor_text()
    assert "avx" in result.processor or "neon" in result.processor


def test_a_stop_is_the_trial_at_its_last_report(problem, tmp_path):
    store = open_store(str(tmp_path))
    current = session(problem, store)
    for _ in range(3):
        progress = current.work(math.inf, until_report=True)
    stop = current.result("stopped")
    assert (stop.status, stop.steps, dict(stop.metrics)) == ("stopped", 14, progress.metrics)
    expected = finish(problem, store, [])
    # Another sweep has trained the trial to its end; the one that stopped it sees none of that.
    record = read_record(store, CONFIG.trial_id, stop=stop)
    assert record.history.steps == [0, 7, 14]
    assert record.result == stop
    assert read_record(store, CONFIG.trial_id).result == expected


def test_a_trial_killed_before_its_result_was_written_gets_it(problem, tmp_path):
    store = open_store(str(tmp_path))
    expected = finish(problem, store, [])
    (local_folder(store) / CONFIG.trial_id / "result.json").unlink()
    again = session(problem, store)
    assert again.work(math.inf, until_report=True).finished
    seconds = store.result(CONFIG.trial_id).training_seconds
    assert store.result(CONFIG.trial_id) == replace(expected, training_seconds=seconds)


def test_two_sweeps_with_the_same_trial_do_not_set_each_other_back(problem, tmp_path):
    store = open_store(str(tmp_path))
    slow = session(problem, store)
    slow.work(math.inf, until_report=True)
    expected = finish(problem, store, [])
    slow.work(math.inf, until_report=True)
    record = read_record(store, CONFIG.trial_id)
    assert record.history.steps == [*range(0, 60, 7), 60]
    assert not slow.trainer.finished
    while not slow.work(math.inf, until_report=True).finished:
        pass
    assert store.result(CONFIG.trial_id) == expected


@pytest.mark.parametrize("content", [None, b"of no use"])
def test_a_result_whose_checkpoint_is_lost_is_a_history_of_one_row(problem, tmp_path, content):
    store = open_store(str(tmp_path))
    result = finish(problem, store, [])
    path = local_folder(store) / CONFIG.trial_id / "checkpoint.npz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    history = read_record(store, CONFIG.trial_id).history
    assert (history.steps, history.timestamps) == ([60], [result.finished_ms])
    assert history.last() == result.metrics


def sampled(device, **training):
    part = {"steps": 30, "report_every": 7, **training}
    changed = {**CONFIG.content(), "device": device, "training": part}
    return TrialConfig.model_validate(changed)


def train_in_pieces(config, problem, store, pieces):
    """Train with a new session after each so many steps, as after a crash, and then to the end."""
    for steps in (*pieces, None):
        with config.device.open(factory.ansatz(config)) as device:
            current = TrialSession(config, problem, device, store)
            for _ in range(steps or 0):
                current.work(0.0)  # one step, and a checkpoint
            while steps is None and not current.work(math.inf).finished:
                pass
    return store.result(config.trial_id), store.checkpoint(config.trial_id), current


@pytest.mark.parametrize("estimator", [None, "spsa"])
def test_training_from_samples_goes_on_with_the_same_samples(problem, tmp_path, estimator):
    config = sampled({"name": "exact", "shots": 64, "estimator": estimator})
    whole, end, _ = train_in_pieces(config, problem, open_store(str(tmp_path / "whole")), [])
    for number, pieces in enumerate([[1], [3, 8, 2], [14]]):
        store = open_store(str(tmp_path / str(number)))
        pieced, state, _ = train_in_pieces(config, problem, store, pieces)
        assert np.array_equal(state["parameters"], end["parameters"])
        assert results_digest([pieced]) == results_digest([whole])
        assert pieced.top_strings == whole.top_strings
        same = [c for c in range(state["history"].shape[1]) if c != 1]  # all but the time
        assert np.array_equal(state["history"][:, same], end["history"][:, same])


GROWING = {"schedule": "warmup", "start": 8, "value": 64}


@pytest.mark.parametrize(
    "device",
    [
        {"name": "exact", "shots": 64, "noise": {"p1": 0.02, "p2": 0.05}},
        {"name": "exact", "shots": GROWING},
        {"name": "exact", "noise": 0.02, "trajectories": 20},
    ],
    ids=["frames", "growing", "trajectories"],
)
def test_noisy_training_and_growing_shots_go_on_with_the_same_numbers(problem, tmp_path, device):
    config = sampled(device)
    whole, end, _ = train_in_pieces(config, problem, open_store(str(tmp_path / "whole")), [])
    store = open_store(str(tmp_path / "pieces"))
    pieced, state, _ = train_in_pieces(config, problem, store, [1, 3, 8, 2])
    assert np.array_equal(state["parameters"], end["parameters"])
    assert results_digest([pieced]) == results_digest([whole])
    assert pieced.top_strings == whole.top_strings
    assert not {"kl", "entropy"} & set(whole.metrics)
    # What is repeated elsewhere is repeated with other noise, but with the same kind of result.
    other = config.model_copy(update={"seed": config.seed + 1})
    there = open_store(str(tmp_path / "other"))
    _, elsewhere, _ = train_in_pieces(other, problem, there, [])
    assert not np.array_equal(elsewhere["parameters"], end["parameters"])


def test_what_samples_do_not_give_is_absent_and_their_errors_are_kept(problem, tmp_path):
    store = open_store(str(tmp_path))
    config = sampled({"name": "exact", "shots": 64}, steps=3)
    result, _, current = train_in_pieces(config, problem, store, [])
    assert not {"kl", "entropy"} & set(result.metrics)
    assert {"nll", "mmd2", "test_accuracy_expected"} <= set(result.metrics)
    history = read_record(store, config.trial_id).history
    assert "nll_standard_error" in history.names and "kl" not in history.names
    assert (history.column("objective_standard_error") > 0).all()
    assert sum(top["probability"] * 64 for top in result.top_strings) <= 64
    assert current.notes == []


def test_a_gradient_lost_in_shot_noise_is_told_with_the_shots_that_it_takes(tmp_path):
    content = {**CONFIG.content(), "objective": {"name": "mle"}}
    content["device"] = {"name": "exact", "shots": 2}
    # Where nothing is learned, some of the seeds stay at chance.
    content["training"] = {"steps": 4, "report_every": 1, "learning_rate": 1e-9}
    found = []
    for seed in range(12):
        config = TrialConfig.model_validate({**content, "seed": seed})
        store = open_store(str(tmp_path / str(seed)))
        result, _, current = train_in_pieces(config, factory.problem(config), store, [])
        lost = "lost-in-shot-noise" in result.flags
        assert lost == bool(current.notes)
        found += current.notes
    assert found
    for note in found:
        assert "was lost in the noise of 2 shots; it takes at least" in note
