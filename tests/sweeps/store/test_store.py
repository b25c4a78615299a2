"""The typed store, over every backend."""

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError, NewerFormatError, NotFoundError, StoreError
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import TrialError, open_store
from qhn.sweeps.store.local import local_folder, make_folder, new_log, run_folder

CONFIG = TrialConfig.model_validate(
    {"dataset": {"name": "moons"}, "objective": {"name": "mle"}, "seed": 3}
)
STATE = {
    "step": np.array(4),
    "a": np.array([0.1, np.nan, -0.0]),
    "notes": np.frombuffer(b"{}", dtype=np.uint8),
}


def test_a_trial_of_which_nothing_is_known(store, trial):
    assert store.result(trial) is None
    assert store.error(trial) is None
    assert store.checkpoint(trial) is None
    assert store.finished([trial]) == store.failed([trial]) == set()
    with pytest.raises(NotFoundError, match="no trial"):
        store.config(trial)
    assert store.backend.list() == []


def test_a_configuration_is_kept_under_its_digest(store):
    for _ in range(2):
        store.save_config(CONFIG.trial_id, CONFIG.to_json())
    assert TrialConfig.from_json(store.config(CONFIG.trial_id)) == CONFIG


def test_a_checkpoint_comes_back_to_the_byte(store, trial):
    store.save_checkpoint(trial, STATE)
    loaded = store.checkpoint(trial)
    assert loaded.step == 4
    assert {name: (a.dtype, a.tobytes()) for name, a in loaded.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in STATE.items()
    }


def test_a_checkpoint_says_whose_it_is_without_pickle(store, trial):
    store.save_checkpoint(trial, STATE)
    content = store.backend.get(f"{trial}/checkpoint.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert archive["trial_id"] == trial
        assert archive["format"] == 2
    for name in ("trial_id", "format"):
        with pytest.raises(InvalidValueError, match="must not be named"):
            store.save_checkpoint(trial, {**STATE, name: np.zeros(1)})


def test_a_checkpoint_is_never_replaced_by_one_that_is_less_far(store, trial):
    for step in (5, 9, 3, 9):
        store.save_checkpoint(trial, {"step": np.array(step), "a": np.zeros(2)})
    assert store.checkpoint(trial).step == 9


def test_savers_at_once_leave_the_furthest_checkpoint(store, trial):
    def save(first):
        for step in range(first, 30, 3):
            store.save_checkpoint(trial, {"step": np.array(step)})

    threads = [threading.Thread(target=save, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.checkpoint(trial).step == 29


def test_a_result_comes_back_as_it_was(store, result, trial):
    for original in (result(), result("f" * 16, version=None, processor=None, top_strings=())):
        store.save_result(original)
        assert store.result(original.trial_id) == original
    assert store.results([trial, "e" * 16]) == {trial: result()}


def test_the_first_result_of_a_trial_stays(store, result, trial):
    store.save_result(result(finished_ms=2))
    store.save_result(result(finished_ms=7))
    assert store.result(trial).finished_ms == 2


def test_a_result_ends_an_error(store, result, trial):
    store.save_error(trial, TrialError("broken", "trace", 3, {"exploding-gradient": 1}))
    assert store.error(trial) == TrialError("broken", "trace", 3, {"exploding-gradient": 1})
    assert store.failed([trial]) == {trial}
    store.save_result(result())
    assert store.failed([trial]) == set()
    assert store.error(trial) is None
    assert store.finished([trial]) == {trial}
    assert store.backend.list(trial) == [f"{trial}/result.json"]


def test_a_failure_is_forgotten_on_request(store, trial):
    store.save_error(trial, TrialError("broken", "trace", 3))
    store.clear_errors([trial])
    store.clear_errors([trial])
    assert store.error(trial) is None


def test_a_stop_is_no_trial_s_result(store, result):
    with pytest.raises(InvalidValueError, match="must be finished"):
        store.save_result(result(status="stopped"))


@pytest.mark.parametrize("name", ["../../etc/passwd", "ABC", "", "0123456789abcdeg"])
def test_only_trial_ids_become_keys(store, result, name):
    for use in (
        lambda: store.result(name),
        lambda: store.checkpoint(name),
        lambda: store.config(name),
        lambda: store.save_config(name, ""),
        lambda: store.save_checkpoint(name, STATE),
        lambda: store.save_result(result(name)),
        lambda: store.clear_errors([name]),
        lambda: store.results([name]),
    ):
        with pytest.raises(StoreError, match="16 hexadecimal digits"):
            use()
    assert store.backend.list() == []


def test_a_store_is_marked_at_its_first_write(store, trial):
    store.save_error(trial, TrialError("broken", "trace", 3))
    assert json.loads(store.backend.get("store.json")) == {"format": 2}
    again = open_store(store.uri)
    again.sweep("x").save_file("")
    assert again.backend.list() == [f"{trial}/error.json", "store.json", "sweeps/x/sweep.yaml"]


def test_a_store_with_trials_is_not_marked_afterwards(store, trial):
    store.backend.put(f"{trial}/config.json", b"{}")
    store.save_error(trial, TrialError("broken", "trace", 3))
    assert store.backend.get("store.json") is None


def test_a_store_of_a_newer_version_is_refused(store):
    store.backend.put("store.json", b'{"format": 3, "shards": 16}')
    with pytest.raises(NewerFormatError) as refused:
        open_store(store.uri)
    assert str(refused.value) == (
        f"the store {store.shown} was written by a newer qhn (format 3, this one reads up to 2); "
        "upgrade qhn"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "2"}', b'{"format": true}'])
def test_a_damaged_mark_is_no_mark(store, trial, content):
    store.backend.put("store.json", content)
    assert open_store(store.uri).result(trial) is None


@pytest.mark.parametrize("uri", ["gs://bucket/store", "http://host/store", "http://[host"])
def test_other_addresses_are_refused(uri):
    with pytest.raises(StoreError, match="folder, or a file:// or s3:// address"):
        open_store(uri)


def test_a_file_address_names_a_folder(tmp_path):
    store = open_store(f"file://{tmp_path}/a%20b")
    assert store.shown == str(tmp_path / "a b")
    assert open_store(store.uri).shown == store.shown
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        open_store(str(tmp_path / "file"))


def test_a_store_in_memory_is_found_again_by_its_name(result, trial):
    open_store("memory://one").save_result(result())
    assert open_store("memory://one").result(trial) == result()
    assert open_store("memory://two").result(trial) is None


def test_local_files_are_beside_a_local_store(folder):
    store = open_store(str(folder))
    assert local_folder(store) == folder
    assert run_folder(store, "x") == folder / "sweeps" / "x"
    assert not folder.exists()
    log = new_log(store, "x")
    assert log.parent == folder / "sweeps" / "x" / "logs"
    assert folder.stat().st_mode & 0o777 == log.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(NotFoundError, match="must have no path in it"):
        run_folder(store, "../x")
    (folder / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable, but making"):
        make_folder(store, folder / "file" / "below")


def test_local_files_of_any_other_store_are_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store("memory://elsewhere")
    assert local_folder(store) == tmp_path / ".qhn"
    assert new_log(store, "x").parent == tmp_path / ".qhn" / "sweeps" / "x" / "logs"


def test_a_log_leaves_a_store_new(folder, trial):
    """A run opens its log before it writes anything else."""
    store = open_store(str(folder))
    new_log(store, "x").write_text("begin")
    store.save_error(trial, TrialError("broken", "trace", 3))
    assert store.backend.get("store.json") is not None


def test_absent_metrics_are_not_a_number(result):
    assert np.isnan(result().metric("kl"))
    assert replace(result(), metrics={"kl": 1.5}).metric("kl") == 1.5
