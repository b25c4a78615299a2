"""Files that cannot be used: found, named, set aside, and made anew; nothing else is harmed."""

import io
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_examples import TRIAL, make_result

from qhn.core.errors import DamagedError, NewerFormatError, StoreError
from qhn.sweeps.store import TrialError, open_store, read_record

OTHER = "f" * 16
STATE = {
    "step": np.array(7),
    "parameters": np.arange(40.0),
    "notes": np.frombuffer(b'{"flags": {}}', dtype=np.uint8),
}
CHECKPOINT, RESULT = f"{TRIAL}/checkpoint.npz", f"{TRIAL}/result.json"


def archive(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def whole_checkpoint():
    store = open_store("memory://whole")
    store.save_checkpoint(TRIAL, STATE)
    return store.backend.get(CHECKPOINT)


WHOLE = whole_checkpoint()
DAMAGED_CHECKPOINTS = {
    "empty": b"",
    "truncated": WHOLE[: len(WHOLE) // 2],
    "without its end": WHOLE[:-1],
    "half a file": b"PK\x03\x04 half a file",
    "text": b"not a checkpoint at all",
    "one bare array": np.lib.format.magic(1, 0) + b"\x00",
    "pickle": archive(step=np.array([{"an": "object"}], dtype=object)),
    "of another trial": archive(step=np.array(7), trial_id=np.array(OTHER), format=np.array(2)),
    "of nobody": archive(step=np.array(7), format=np.array(2)),
    "of no format": archive(step=np.array(7), trial_id=np.array(TRIAL)),
    "of an odd format": archive(trial_id=np.array(TRIAL), format=np.array("2")),
    "of two formats": archive(trial_id=np.array(TRIAL), format=np.array([1, 2])),
}
DAMAGED_RESULTS = {
    "empty": b"",
    "truncated": make_result().to_json().encode()[:50],
    "no text": b"\xff\xfe\x00",
    "bare NaN": make_result().to_json().replace("0.25", "NaN").encode(),
    "of another trial": make_result(OTHER).to_json().encode(),
    "unknown entries": json.dumps(json.loads(make_result().to_json()) | {"x": 1}).encode(),
}


@pytest.mark.parametrize("content", DAMAGED_CHECKPOINTS.values(), ids=DAMAGED_CHECKPOINTS)
def test_a_damaged_checkpoint_is_named_set_aside_and_made_anew(store, content):
    store.backend.put(CHECKPOINT, content)
    for _ in range(2):
        with pytest.raises(DamagedError) as found:
            store.checkpoint(TRIAL)
        assert found.value.key == CHECKPOINT
        assert store.backend.list() == [CHECKPOINT]
    assert store.set_aside(found.value) == f"{TRIAL}/checkpoint.unreadable"
    assert store.checkpoint(TRIAL) is None
    assert store.backend.get(f"{TRIAL}/checkpoint.unreadable") == content
    store.save_checkpoint(TRIAL, STATE)
    assert store.checkpoint(TRIAL).step == 7


@pytest.mark.parametrize("content", DAMAGED_CHECKPOINTS.values(), ids=DAMAGED_CHECKPOINTS)
def test_a_damaged_checkpoint_keeps_no_good_one_out(store, content):
    store.backend.put(CHECKPOINT, content)
    store.save_checkpoint(TRIAL, {"a": np.zeros(1)})
    assert list(store.checkpoint(TRIAL)) == ["a"]


@pytest.mark.parametrize("content", DAMAGED_RESULTS.values(), ids=DAMAGED_RESULTS)
def test_a_damaged_result_is_named_set_aside_and_made_anew(store, content):
    store.backend.put(RESULT, content)
    store.save_result(make_result(OTHER))
    with pytest.raises(DamagedError) as found:
        store.result(TRIAL)
    assert found.value.key == RESULT
    outcomes = store.outcomes([TRIAL, OTHER])
    assert set(outcomes.results) == {OTHER}
    assert {key: str(error) for key, error in outcomes.damaged.items()} == {TRIAL: str(found.value)}
    assert store.finished([TRIAL, OTHER]) == {OTHER}
    assert store.set_aside(found.value) == f"{TRIAL}/result.unreadable"
    assert store.result(TRIAL) is None
    store.save_result(make_result())
    assert store.result(TRIAL) == make_result()


def test_a_damaged_result_keeps_no_good_one_out(store):
    store.backend.put(RESULT, b"{")
    store.save_result(make_result())
    assert store.result(TRIAL) == make_result()


def test_the_message_states_the_rule_the_reason_and_the_way_out(store):
    store.backend.put(RESULT, b"{")
    with pytest.raises(DamagedError) as found:
        store.result(TRIAL)
    assert str(found.value) == (
        f"the store's file {RESULT} must be readable, but it is not JSON (Expecting property name "
        "enclosed in double quotes: line 1 column 2 (char 1)); run the sweep again: it sets the "
        "file aside and computes what the file held again"
    )


def test_what_was_set_aside_before_is_kept(store):
    for number, content in enumerate((b"a", b"b", b"c"), start=1):
        store.backend.put(CHECKPOINT, content)
        with pytest.raises(DamagedError) as found:
            store.checkpoint(TRIAL)
        suffix = "" if number == 1 else f".{number}"
        assert store.set_aside(found.value) == f"{TRIAL}/checkpoint.unreadable{suffix}"
    kept = store.backend.get_many(store.backend.list())
    assert sorted(kept.values()) == [b"a", b"b", b"c"]


def test_what_another_process_has_mended_meanwhile_stays(store):
    store.backend.put(CHECKPOINT, b"broken")
    with pytest.raises(DamagedError) as found:
        store.checkpoint(TRIAL)
    store.save_checkpoint(TRIAL, STATE)
    assert store.set_aside(found.value) is None
    assert store.checkpoint(TRIAL).step == 7
    store.backend.delete(CHECKPOINT)
    assert store.set_aside(found.value) is None
    assert store.backend.list(TRIAL) == []


def test_arrays_that_the_reader_cannot_use_are_damage_as_well(store):
    store.save_checkpoint(TRIAL, STATE)
    damage = store.checkpoint(TRIAL).damage("it has no optimiser")
    assert (damage.key, damage.why) == (CHECKPOINT, "it has no optimiser")
    store.save_checkpoint(TRIAL, {**STATE, "step": np.array(8)})
    assert store.set_aside(damage) is None
    damage = store.checkpoint(TRIAL).damage("it has no optimiser")
    assert store.set_aside(damage) is not None
    assert store.checkpoint(TRIAL) is None


def test_a_damage_travels_between_processes_whole():
    import pickle

    error = DamagedError("a/b", "it is empty", "digest")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled here
    assert (str(again), again.key, again.why, again.digest) == (
        str(error),
        "a/b",
        "it is empty",
        "digest",
    )


def test_a_configuration_of_another_trial_is_damage(store):
    for content in (b'{"seed":1}', b"{", b'{"seed":1e999}'):
        store.backend.put(f"{TRIAL}/config.json", content)
        with pytest.raises(DamagedError, match=f"{TRIAL}/config.json"):
            store.config(TRIAL)
    store.save_config(TRIAL, '{"seed":2}')
    assert store.backend.get(f"{TRIAL}/config.json") == b'{"seed":2}'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("checkpoint.npz", archive(trial_id=np.array(TRIAL), format=np.array(3))),
        ("result.json", b'{"format": 3}'),
    ],
)
def test_files_of_a_newer_version_are_never_touched(store, name, content):
    key = f"{TRIAL}/{name}"
    store.backend.put(key, content)
    message = f"^{key} was written by a newer qhn .format 3, this one reads up to 2.; upgrade qhn$"
    for use in (
        lambda: read_record(store, TRIAL),
        lambda: store.checkpoint(TRIAL) or store.result(TRIAL),
        lambda: [store.save_checkpoint(TRIAL, STATE), store.save_result(make_result())],
    ):
        with pytest.raises(NewerFormatError, match=message):
            use()
        assert store.backend.get(key) == content


@settings(max_examples=150)
@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_checkpoint_is_found_or_harmless(place, bit):
    """Either the arrays are those that were saved, to the byte, or the damage is said."""
    content = bytearray(WHOLE)
    content[place] ^= 1 << bit
    store = open_store("memory://flipped")
    store.backend.put(CHECKPOINT, bytes(content))
    try:
        found = store.checkpoint(TRIAL)
    except DamagedError:
        return
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in found.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in STATE.items()
    }


@given(st.data())
def test_a_flipped_bit_in_a_result_raises_nothing_but_store_errors(data):
    content = bytearray(make_result().to_json().encode())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    store = open_store("memory://flipped")
    store.backend.put(RESULT, bytes(content))
    try:
        found = store.result(TRIAL)
    except StoreError:
        return
    assert found is None or found.trial_id == TRIAL


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("name", ["checkpoint.npz", "result.json", "config.json"])
def test_a_folder_in_the_place_of_a_file(folder, name, filled):
    store = open_store(str(folder))
    place = folder / TRIAL / name
    place.mkdir(parents=True)
    if filled:
        (place / "x").write_text("")
    uses = {
        "checkpoint.npz": lambda: store.checkpoint(TRIAL),
        "result.json": lambda: store.result(TRIAL),
        "config.json": lambda: store.save_config(TRIAL, "{}"),
    }
    for _ in range(2):
        with pytest.raises(DamagedError, match="a folder is in its place") as found:
            uses[name]()
        assert store.set_aside(found.value) is not None
        assert not place.exists()
        place.mkdir()
    assert (folder / TRIAL / f"{name.partition('.')[0]}.unreadable.2").is_dir()


def test_a_file_in_the_place_of_a_trial_s_folder(folder):
    store = open_store(str(folder))
    folder.mkdir()
    (folder / TRIAL).write_text("what is this?")
    store.save_result(make_result(OTHER))
    assert store.finished([TRIAL, OTHER]) == {OTHER}
    with pytest.raises(DamagedError, match="it is a file in the place of a folder") as found:
        store.checkpoint(TRIAL)
    assert found.value.key == TRIAL
    assert store.set_aside(found.value) == f"{TRIAL}.unreadable"
    store.save_result(make_result())
    assert store.result(TRIAL) == make_result()
    assert (folder / f"{TRIAL}.unreadable").read_text() == "what is this?"


def test_a_folder_in_the_place_of_an_error_is_an_error(folder):
    store = open_store(str(folder))
    (folder / TRIAL / "error.json").mkdir(parents=True)
    assert store.error(TRIAL).message == "the error's file is unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_result_that_may_not_be_read_is_set_aside(folder):
    store = open_store(str(folder))
    store.save_result(make_result())
    (folder / RESULT).chmod(0)
    with pytest.raises(DamagedError, match="Permission denied") as found:
        store.result(TRIAL)
    assert store.set_aside(found.value) == f"{TRIAL}/result.unreadable"


def test_damage_of_a_former_id_is_set_aside_where_it_lies(old, raced_ids):
    former, trial = next(iter(raced_ids.items()))
    (old / former / "checkpoint.npz").write_bytes(b"broken")
    store = open_store(str(old))
    with pytest.raises(DamagedError) as found:
        store.checkpoint(trial)
    assert store.set_aside(found.value) == f"{former}/checkpoint.unreadable"
    assert store.checkpoint(trial) is None


def test_the_checkpoint_of_another_trial_copied_in_is_damage(old, stored):
    """Where the other one says whose it is; those of version f0fdd86 do not."""
    ids = sorted(stored["half"]["trials"])
    store = open_store(str(old))
    store.save_checkpoint(ids[0], {**STATE, "step": np.array(10**6)})
    (old / ids[1]).mkdir(exist_ok=True)
    (old / ids[1] / "checkpoint.npz").write_bytes((old / ids[0] / "checkpoint.npz").read_bytes())
    with pytest.raises(DamagedError, match=f"it is the checkpoint of another trial, '{ids[0]}'"):
        store.checkpoint(ids[1])


def test_the_result_of_another_trial_copied_in_is_damage(old, stored):
    store = open_store(str(old))
    first, second = sorted(store.finished(stored["half"]["trials"]))[:2]
    (old / first / "result.json").write_bytes((old / second / "result.json").read_bytes())
    with pytest.raises(DamagedError, match=f"it is the result of another trial, '{second}'"):
        store.result(first)


def test_a_failed_trial_with_a_damaged_result_failed(store):
    store.backend.put(RESULT, b"{")
    store.save_error(TRIAL, TrialError("no", "", 1))
    assert store.failed([TRIAL]) == {TRIAL}
    assert set(store.outcomes([TRIAL]).damaged) == {TRIAL}
