"""Results as a table, and trials with their trained circuits, as the store has them."""

import math
import os
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qhn as api
from qhn.core.errors import InvalidValueError, NotFoundError, StoreError
from qhn.core.metrics import METRICS
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store, TrialError

SWEEP = """
name: read
datasets: [moons]
networks: [logistic, {kind: mlp, hidden: 1}]
objectives: [mle, {name: elbo, lambda: 2}]
seeds: [5, 3]
training: {steps: 20, report_every: 10}
"""
PLAN = make_plan(parse_spec(SWEEP))
#: Seeds that give the first trial two ids with the same first six digits, found by trying.
COLLIDING = (1301, 3558)


@pytest.fixture
def store(qhn, monkeypatch):
    """A store with one trial finished, one that failed, and the others waiting."""
    monkeypatch.setenv("QHN_STORE", str(qhn.root))
    qhn.train(qhn.write(SWEEP), only=[PLAN.trials[0].trial_id])
    error = TrialError("it was not to be\nat all", "", 1, {"barren-plateau": 10})
    qhn.store.save_error(PLAN.trials[1].trial_id, error)
    return qhn.store


def test_results_have_a_row_for_each_planned_trial(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = api.results("read")
    assert list(table.trial_id) == [trial.trial_id for trial in PLAN.trials]
    assert list(table.status) == ["finished", "failed", *["waiting"] * 6]
    assert list(table.seed) == [5] * 4 + [3] * 4
    assert table["flags"][1] == "barren-plateau=10"
    result = store.result(table.trial_id[0])
    for name, value in result.metrics.items():
        assert table[name][0] == value  # bit for bit
        assert table[name][1:].isna().all()
    assert list(table.columns[-len(METRICS) :]) == [metric.name for metric in METRICS]
    hidden = table["network.hidden"]
    assert (hidden.isna().sum(), hidden.dropna().tolist()) == (4, [1] * 4)


def test_columns_have_the_type_of_what_is_in_them(store):
    types = api.results("read").dtypes.astype(str)
    assert (types["seed"], types["data_seed"]) == ("int64", "int64")
    # Whole numbers of which some are missing, which floats would not keep whole.
    assert (types["steps"], types["network.hidden"]) == ("Int64", "Int64")
    assert (types["nll"], types["objective.lambda.value"]) == ("float64", "float64")
    assert types["ansatz.entanglers_first"] == "bool"
    for name in ("trial_id", "group", "status", "flags", "objective.name"):
        assert pd.api.types.is_string_dtype(api.results("read")[name])


def test_a_sweep_without_any_result_has_the_same_columns(store):
    full = api.results("read")
    store.sweep("later").save_file(SWEEP.replace("read", "later").replace("[5, 3]", "[7]"))
    empty = api.results("later")
    assert list(empty.columns) == list(full.columns)
    assert (str(empty.steps.dtype), str(empty.nll.dtype)) == ("Int64", "float64")
    assert math.isnan(empty.nll.mean())


def test_an_unknown_sweep_is_the_error_of_the_command_line(store, qhn):
    with pytest.raises(NotFoundError) as caught:
        api.results("raed")
    assert "did you mean 'read'?" in str(caught.value)
    printed = qhn("sweep", "status", "raed", code=2)
    assert " ".join(str(caught.value).split()) in " ".join(printed.split())


def test_a_finished_trial_is_there_with_its_posterior(store):
    planned = PLAN.trials[0]
    trial = api.load_trial(planned.trial_id[:6])
    assert (trial.trial_id, trial.config, trial.status) == (
        planned.trial_id,
        planned.config,
        "finished",
    )
    result = store.result(planned.trial_id)
    assert (trial.metrics, trial.flags, trial.error) == (result.metrics, result.flags, None)
    assert trial.history["step"].tolist() == [0, 10, 20]
    assert trial.history.iloc[-1][list(trial.metrics)].to_dict() == trial.metrics
    assert (pd.Timestamp.now("UTC") - trial.history["time"]).max() < pd.Timedelta(days=1)
    n_qubits = planned.config.n_qubits
    assert trial.angles.shape == (2, 2, n_qubits)
    q = trial.probabilities()
    assert q.shape == (2**n_qubits,)
    assert q.sum() == pytest.approx(1.0, abs=1e-12)
    ansatz = api.Ansatz.brickwork(n_qubits, depth=2)
    np.testing.assert_array_equal(q, api.probabilities(ansatz, trial.angles))
    top = trial.top_strings
    assert list(top.columns) == [
        *("bits", "probability", "nll", "train_accuracy", "test_accuracy"),
    ]
    assert [q[int(bits, 2)] for bits in top.bits] == top.probability.tolist()
    assert top.probability[0] == q.max()
    entropy = -(q[q > 0] * np.log(q[q > 0])).sum()
    assert entropy == pytest.approx(trial.metrics["entropy"], abs=1e-9)


def test_what_is_changed_in_a_copy_changes_no_trial(store):
    trial = api.load_trial(PLAN.trials[0].trial_id)
    trial.angles[:] = 0.0
    trial.metrics["nll"] = 7.0
    assert trial.angles.any() and trial.metrics["nll"] != 7.0


def test_a_failed_trial_says_why_it_has_no_metrics(store):
    trial = api.load_trial(PLAN.trials[1].trial_id)
    assert (trial.status, trial.flags) == ("failed", {"barren-plateau": 10})
    assert trial.error == "it was not to be\nat all"
    assert len(trial.history) == 0
    for ask in (lambda: trial.metrics, lambda: trial.top_strings):
        with pytest.raises(NotFoundError, match=r"failed: it was not to be; .*--retry-failed"):
            ask()
    with pytest.raises(NotFoundError, match="made no report yet"):
        trial.probabilities()


def test_a_trial_that_waits_is_known_from_the_sweep_that_plans_it(store):
    planned = PLAN.trials[2]
    trial = api.load_trial(planned.trial_id)
    assert (trial.config, trial.status, trial.flags) == (planned.config, "waiting", {})
    with pytest.raises(NotFoundError, match="not over; run its sweep"):
        trial.metrics  # noqa: B018


def test_a_lost_checkpoint_takes_the_angles_and_leaves_the_result(store, qhn):
    trial_id = PLAN.trials[0].trial_id
    path = qhn.root / trial_id / "checkpoint.npz"
    for content in (b"no archive", None):
        path.unlink() if content is None else path.write_bytes(content)
        trial = api.load_trial(trial_id)
        assert trial.metrics == store.result(trial_id).metrics
        assert trial.history["step"].tolist() == [20]
        with pytest.raises(NotFoundError, match=r"checkpoint\.npz, which cannot be used"):
            trial.angles  # noqa: B018


def test_history_and_angles_are_of_one_moment(store, monkeypatch):
    read = Store.checkpoint

    def read_and_go_on(self, trial_id):
        found = read(self, trial_id)
        # As if the trial were running, and wrote its next report at this moment.
        later = {"step": np.array(30), "reported_parameters": np.zeros(3)}
        self.save_checkpoint(trial_id, later | History().state())
        return found

    monkeypatch.setattr(Store, "checkpoint", read_and_go_on)
    trial = api.load_trial(PLAN.trials[0].trial_id)
    assert trial.history["step"].tolist() == [0, 10, 20]
    assert trial.angles.shape == (2, 2, PLAN.trials[0].config.n_qubits)


def test_a_stop_whose_checkpoint_was_lost_is_the_one_row_of_its_history(store):
    trial_id = PLAN.trials[0].trial_id
    stop = replace(store.result(trial_id), status="stopped", steps=10)
    for name in ("result.json", "checkpoint.npz"):
        store.backend.delete(f"{trial_id}/{name}")
    store.sweep("read").save_stop({"kind": "asha"}, stop)
    trial = api.load_trial(trial_id)
    assert (trial.status, trial.history["step"].tolist()) == ("stopped", [10])


def test_a_whole_id_needs_no_list_of_the_store(store, monkeypatch):
    def refuse(self, folder=""):
        raise AssertionError("the store was listed")

    monkeypatch.setattr(type(store.backend), "folders", refuse)
    assert api.load_trial(PLAN.trials[0].trial_id).status == "finished"
    # One that has no folder yet is found in the sweeps' files.
    assert api.load_trial(PLAN.trials[2].trial_id).status == "waiting"


def test_a_trial_that_a_sweep_stopped_is_one_until_another_trains_it_on(store):
    trial_id = PLAN.trials[0].trial_id
    finished = store.result(trial_id)
    store.backend.delete(f"{trial_id}/result.json")
    stop = replace(finished, status="stopped", metrics={"nll": 0.5})
    rule = {"kind": "asha"}
    store.sweep("read").save_stop(rule, stop)
    trial = api.load_trial(trial_id)
    assert (trial.status, trial.metrics) == ("stopped", {"nll": 0.5})
    assert trial.angles.shape == (2, 2, PLAN.trials[0].config.n_qubits)
    # The checkpoint is of step 20: that stop is no more the end of it.
    store.sweep("read").save_stop(rule, replace(stop, steps=10))
    assert api.load_trial(trial_id).status == "waiting"
    assert api.load_trial(trial_id).history["step"].tolist() == [0, 10, 20]


def test_trials_of_an_old_store_have_their_posteriors(tmp_path, unpack_old_store, golden):
    old_root, stored = unpack_old_store(tmp_path / "old"), golden("stored.json")
    half = stored["half"]["trials"]
    finished = next(i for i, trial in half.items() if trial["then"] == "finished")
    trial = api.load_trial(finished, store=old_root)
    top = trial.top_strings
    # Another processor may differ in the last bits.
    np.testing.assert_allclose(
        trial.probabilities()[[int(bits, 2) for bits in top.bits]], top.probability, atol=1e-12
    )
    # Trials of a sweep with early stopping lie under another id than they have now.
    now, former = next(
        (trial.trial_id, trial.former_id)
        for trial in make_plan(parse_spec(stored["raced"]["text"])).trials
        if stored["raced"]["trials"][trial.former_id]["then"] == "stopped"
    )
    by_now, by_former = api.load_trial(now, store=old_root), api.load_trial(former, store=old_root)
    assert by_now.trial_id == by_former.trial_id == now
    assert by_now.status == by_former.status == "stopped"
    assert by_now.angles.shape == (2, 2, by_now.config.n_qubits)
    assert by_now.history.equals(by_former.history) and len(by_now.history) > 1


@pytest.mark.parametrize("trial_id", ["", "12345", "0123456789abcdefa", "ABCDEF", "xyzxyz", None])
def test_what_is_no_beginning_of_an_id_is_refused(store, trial_id):
    with pytest.raises(InvalidValueError, match="16 hexadecimal digits"):
        api.load_trial(trial_id)


def test_the_beginning_of_several_ids_lists_them(store):
    configs = [PLAN.trials[0].config.model_copy(update={"seed": seed}) for seed in COLLIDING]
    for config in configs:
        store.save_config(config.trial_id, config.to_json())
    first, second = sorted(config.trial_id for config in configs)
    assert first[:6] == second[:6] and first != second
    with pytest.raises(InvalidValueError, match=f"that of {first}, {second}; give more digits"):
        api.load_trial(first[:6])
    assert api.load_trial(second).trial_id == second


def test_an_unknown_trial_is_one_message(store):
    with pytest.raises(NotFoundError, match=f"no trial 'ffffffffff' is in the store {store.shown}"):
        api.load_trial("ffffffffff")


def test_a_store_is_a_path_or_its_text(store, qhn, monkeypatch):
    monkeypatch.delenv("QHN_STORE")
    for place in (qhn.root, str(qhn.root), os.fspath(qhn.root)):
        assert len(api.results("read", store=place)) == 8
    with pytest.raises(StoreError):
        api.results("read", store="s3://bucket")
