"""A store that version f0fdd86 made, read by this one."""

import json

import pytest

from qhn.core.errors import NotFoundError
from qhn.sweeps.config.sections import AshaConfig
from qhn.sweeps.config.trial import canonical_json
from qhn.sweeps.store import open_store, read_record, results_digest


@pytest.fixture
def rule(old, raced_ids):
    former = next(iter(raced_ids))
    return json.loads((old / former / "config.json").read_text())["early_stopping"]


def snapshot(folder):
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_mode, path.is_file() and path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def now(trial_id, raced_ids):
    """The id that a trial has now."""
    return raced_ids.get(trial_id, trial_id)


def test_every_identity_with_early_stopping_is_found_under_its_former_id(store, result, golden):
    rows = [row for row in golden("identities.json") if row["former_id"] != row["trial_id"]]
    assert len(rows) == 2
    for row in rows:
        rule = AshaConfig.model_validate(row["content"]["early_stopping"])
        content = json.loads(row["json"]) | {"early_stopping": rule.model_dump(mode="json")}
        store.backend.put(f"{row['former_id']}/config.json", canonical_json(content).encode())
        store.backend.put(
            f"{row['former_id']}/result.json", result(row["former_id"]).to_json().encode()
        )
    again = open_store(store.uri)
    for row in rows:
        assert again.result(row["trial_id"]) == result(row["trial_id"])


def test_every_trial_reads_as_it_was_left(old, stored, raced_ids):
    store = open_store(str(old))
    for sweep in stored.values():
        for trial, known in sweep["trials"].items():
            record = read_record(store, now(trial, raced_ids))
            state = store.checkpoint(now(trial, raced_ids))
            assert (None if state is None else state.step) == known["step"]
            assert len(record.history) > 0 or state is None
            if known["then"] is None:
                assert (record.result, record.error) == (None, None)


def test_angles_of_finished_trials_are_those_of_undisturbed_runs(old, stored):
    store = open_store(str(old))
    checked = 0
    for sweep in stored.values():
        for trial in store.finished(sweep["trials"]):
            angles = store.checkpoint(trial)["parameters"].ravel().tolist()
            assert [angle.hex() for angle in angles] == sweep["trials"][trial]["angles"]
            checked += 1
    assert checked == 5


def test_final_numbers_are_those_of_the_files(old, stored):
    store = open_store(str(old))
    for sweep in stored.values():
        for trial, found in store.results(sweep["trials"]).items():
            file = json.loads((old / trial / "result.json").read_text())
            assert dict(found.metrics) == file["metrics"]
            assert (found.steps, found.flags) == (file["steps"], file["flags"])
            assert [dict(top) for top in found.top_strings] == file["top_strings"]
            assert results_digest([found]) == results_digest([store.result(trial)])


def test_trainings_that_diverged_are_failures_with_their_flag(old, stored):
    store = open_store(str(old))
    ids = set(stored["diverged"]["trials"])
    failed = store.failed(ids)
    assert len(failed) == 2
    assert store.finished(ids) == ids - failed
    for trial in failed:
        assert store.result(trial) is None
        error = store.error(trial)
        assert error.flags == {"exploding-gradient": 10}
        assert "training diverged" in error.message
        assert read_record(store, trial).error == error


def test_a_training_that_diverged_is_tried_anew_on_request(old, stored):
    store = open_store(str(old))
    trial = min(store.failed(stored["diverged"]["trials"]))
    before = {path.name: path.read_bytes() for path in (old / trial).iterdir()}
    store.clear_errors([trial])
    assert (store.error(trial), store.result(trial), store.checkpoint(trial)) == (None, None, None)
    assert (old / trial / "result.unreadable").read_bytes() == before["result.json"]
    assert (old / trial / "checkpoint.unreadable").read_bytes() == before["checkpoint.npz"]


def test_stops_are_those_of_the_rule_and_no_results(old, stored, raced_ids, rule):
    store = open_store(str(old))
    stopped = {
        raced_ids[former]
        for former, known in stored["raced"]["trials"].items()
        if known["then"] == "stopped"
    }
    assert len(stopped) == 3
    stops = store.sweep("raced").stops(rule)
    assert set(stops) == stopped
    assert {stop.trial_id for stop in stops.values()} == stopped
    assert {stop.status for stop in stops.values()} == {"stopped"}
    assert store.sweep("raced").stops({**rule, "grace_steps": 1}) == {}
    assert store.outcomes(stopped).results == {}


def test_stops_of_an_older_version_are_those_of_the_sweeps_that_it_ran(old, rule):
    store = open_store(str(old))
    before = store.sweep("raced").stops(rule)
    assert len(before) == 3
    # One that is begun now, of the same trials by the same rule, stops its own.
    store.sweep("raced-anew").save_file("name: raced-anew")
    store.sweep("raced").save_file("name: raced")
    for opened in (store, open_store(str(old))):
        assert opened.sweep("raced-anew").stops(rule) == {}
        assert opened.sweep("raced").stops(rule) == before
    (old / "sweeps" / "raced-anew" / "origin.json").write_text("no JSON")
    assert store.sweep("raced-anew").stops(rule) == {}


def test_a_stopped_trial_goes_on_where_another_sweep_wants_it_whole(old, raced_ids, rule, result):
    store = open_store(str(old))
    trial, stop = next(iter(store.sweep("raced").stops(rule).items()))
    state = store.checkpoint(trial)
    assert state.key == f"{next(f for f, t in raced_ids.items() if t == trial)}/checkpoint.npz"
    further = {**state, "step": state["step"] + 1}
    store.save_checkpoint(trial, further)
    assert store.checkpoint(trial).key == f"{trial}/checkpoint.npz"
    assert store.checkpoint(trial).step == stop.steps + 2
    store.save_result(result(trial))
    assert store.result(trial) == result(trial)
    assert store.sweep("raced").stops(rule)[trial] == stop


def test_finished_under_a_former_id_is_finished(old, raced_ids, result):
    former, trial = next(iter(raced_ids.items()))
    found = result(former)
    (old / former / "result.json").write_text(found.to_json())
    store = open_store(str(old))
    assert store.result(trial) == result(trial)
    assert store.finished([trial]) == {trial}
    assert store.results([trial])[trial].trial_id == trial


def test_a_failure_under_a_former_id_is_a_failure_until_it_is_forgotten(old, raced_ids):
    former, trial = next(iter(raced_ids.items()))
    text = '{"message": "no", "traceback": "trace", "failed_ms": 7}'
    (old / former / "error.json").write_text(text)
    (old / former / "result.json").unlink(missing_ok=True)
    store = open_store(str(old))
    assert store.error(trial).message == "no"
    store.clear_errors([trial])
    assert store.failed([trial]) == set()
    assert open_store(str(old)).failed([trial]) == set()


def test_nothing_changes_by_reading(old, stored, raced_ids, rule):
    before = snapshot(old)
    store = open_store(str(old))
    ids = [now(trial, raced_ids) for sweep in stored.values() for trial in sweep["trials"]]
    store.outcomes(ids)
    for trial in ids:
        read_record(store, trial)
        try:
            store.config(trial)
        except NotFoundError:
            assert trial not in {path.name for path in old.iterdir()}
    for sweep in store.sweeps():
        assert sweep.read_file() == stored[sweep.name]["text"]
        assert (sweep.running(), sweep.damaged_stops(rule)) == ([], [])
    assert snapshot(old) == before


def test_an_old_store_stays_unmarked_and_is_looked_through_once(old, stored, raced_ids, result):
    store = open_store(str(old))
    former, trial = next(iter(raced_ids.items()))
    store.save_config("e" * 16, "{}")
    assert not (old / "store.json").exists()
    assert store.checkpoint(trial) is not None
    (old / former / "config.json").unlink()
    assert store.checkpoint(trial) is not None
    assert open_store(str(old)).checkpoint(trial) is None


def test_a_marked_store_is_never_looked_through(old, raced_ids):
    (old / "store.json").write_text('{"format": 2}')
    assert all(open_store(str(old)).checkpoint(trial) is None for trial in raced_ids.values())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "{",
        lambda text: text.replace("moons", "ring"),
        lambda text: text.replace('"seed":', '"seed":1e999, "was":'),
    ],
)
def test_a_configuration_that_is_not_its_folder_s_is_nobody_s_former_trial(old, raced_ids, change):
    former, trial = next(iter(raced_ids.items()))
    path = old / former / "config.json"
    assert change(path.read_text()) != path.read_text()
    path.write_text(change(path.read_text()))
    assert open_store(str(old)).checkpoint(trial) is None
