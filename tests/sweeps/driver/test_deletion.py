"""Deleting a sweep: killed at any moment, it can be deleted again."""

import pytest

from qhn.core.errors import StoreError, TrackingError
from qhn.sweeps.driver import deletion
from qhn.sweeps.driver.deletion import belongings, delete_sweep
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store, ownership
from qhn.sweeps.tracking import tracking_location

TEXT = "name: doomed\ndatasets: moons\nobjectives: mle\nseeds: 3\n"
TRIALS = [trial.trial_id for trial in make_plan(parse_spec(TEXT)).trials]


class Killed(BaseException):
    """In place of a kill."""


@pytest.fixture
def store(tmp_path):
    """A sweep with a folder for each trial, and everything that a run leaves."""
    store = open_store(str(tmp_path / "store"))
    kept = store.sweep("doomed")
    kept.save_file(TEXT)
    kept.save_progress([])
    stop = TrialResult(TRIALS[0], "stopped", 1, {}, {}, (), 1.0, 0, 1)
    kept.save_stop({"kind": "asha"}, stop)
    (tmp_path / "store/sweeps/doomed/logs").mkdir()
    (tmp_path / "store/sweeps/doomed/logs/1.log").write_text("what libraries said")
    for trial_id in TRIALS:
        store.backend.put(f"{trial_id}/result.json", b"{}")
        store.backend.put(f"{trial_id}/result.unreadable", b"")
    store.backend.put("0000000000000000/config.json", b"{}")
    return store


@pytest.fixture
def location(store):
    return tracking_location(store)


@pytest.fixture(autouse=True)
def tracked(monkeypatch):
    """Which experiments were removed; MLflow itself has tests of its own."""
    removed = []
    monkeypatch.setattr(
        deletion, "remove_experiment", lambda place, name, own: removed.append(name)
    )
    return removed


def test_everything_of_the_sweep_goes_and_nothing_else(store, location, tracked):
    found = belongings(store, "doomed")
    assert (found.trials, found.shared, sorted(found.folders)) == (3, 0, sorted(TRIALS))
    assert delete_sweep(store, "doomed", location) == found
    assert tracked == ["doomed"]
    assert store.backend.list() == ["0000000000000000/config.json", "store.json"]
    assert store.backend.folders() == ("0000000000000000", "sweeps")
    assert store.backend.folders("sweeps") == ()


def test_a_tracking_store_that_cannot_be_used_leaves_the_store_whole(store, location, monkeypatch):
    def refuse(place, name, own_tokens):
        raise TrackingError("no answer")

    before = store.backend.list()
    monkeypatch.setattr(deletion, "remove_experiment", refuse)
    with pytest.raises(TrackingError):
        delete_sweep(store, "doomed", location)
    assert store.backend.list() == before


def test_a_sweep_that_starts_meanwhile_keeps_the_trials_that_it_plans(store, location, monkeypatch):
    def start_another(place, name, own_tokens):
        # MLflow takes seconds. The other sweep finds two trials done, and plans to use them.
        other = open_store(store.uri).sweep("other")
        other.save_file(TEXT.replace("doomed", "other").replace("seeds: 3", "seeds: 2"))

    monkeypatch.setattr(deletion, "remove_experiment", start_another)
    found = delete_sweep(store, "doomed", location)
    assert (found.trials, found.shared, found.others) == (1, 2, ("other",))
    assert set(store.trial_ids()) == {"0000000000000000", *TRIALS[:2]}


def test_no_sweep_starts_between_the_look_at_the_others_and_the_end(store, location, monkeypatch):
    backend, refused = store.backend, []
    remove, listed = backend.remove, store.sweeps

    def save_another():
        with pytest.raises(StoreError, match="cannot begin while trials are deleted, but process"):
            open_store(store.uri).sweep("other").save_file(TEXT.replace("doomed", "other"))
        refused.append(True)

    def look():
        save_another()
        return listed()

    def remove_late(*folders):
        save_another()
        remove(*folders)

    monkeypatch.setattr(ownership, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(store, "sweeps", look)
    monkeypatch.setattr(backend, "remove", remove_late)
    delete_sweep(store, "doomed", location)
    # Before the look, before the trials go, and before the sweep itself goes.
    assert len(refused) >= 3 and not store.sweep("other").exists()
    monkeypatch.undo()
    open_store(store.uri).sweep("other").save_file(TEXT.replace("doomed", "other"))


def test_the_writer_of_a_killed_driver_is_waited_for(store, location, tracked, monkeypatch):
    monkeypatch.setattr(deletion, "_WRITER_PATIENCE_S", 0.0)
    before, lock = store.backend.list(), store.sweep("doomed").tracking_lock
    assert lock.acquire(note="process 123")
    with pytest.raises(StoreError, match="process 123 of a former run of 'doomed' still does"):
        delete_sweep(store, "doomed", location)
    assert (tracked, store.backend.list()) == ([], before)
    lock.release()
    delete_sweep(store, "doomed", location)
    assert tracked == ["doomed"]


def test_a_deletion_that_is_killed_is_finished_by_the_next(store, location, monkeypatch):
    backend, kills = store.backend, 0
    remove, delete = backend.remove, backend.delete
    while store.sweep("doomed").exists():
        left = [kills]

        def killed_after(operation, left=left):
            def run(*keys):
                for key in keys:
                    if left[0] == 0:
                        raise Killed
                    left[0] -= 1
                    operation(key)

            return run

        monkeypatch.setattr(backend, "remove", killed_after(remove))
        monkeypatch.setattr(backend, "delete", killed_after(delete))
        try:
            delete_sweep(store, "doomed", location)
        except Killed:
            # Whatever is gone by now, the sweep is known, and so is what belongs to it.
            assert store.sweep("doomed").exists()
            assert set(belongings(store, "doomed").folders) == set(TRIALS) & set(backend.folders())
            # One operation at a time: what is deleted stays deleted.
            kills = 1
    assert store.trial_ids() == ["0000000000000000"]
    assert backend.folders("sweeps") == ()


def test_trials_under_former_ids_belong_to_the_sweep(tmp_path, unpack_old_store, golden, location):
    stored = golden("stored.json")["raced"]
    store = open_store(str(unpack_old_store(tmp_path / "old")))
    before = set(store.trial_ids())
    found = delete_sweep(store, "raced", location)
    assert set(found.folders) == set(stored["trials"]) & before
    assert len(found.folders) == found.trials > 0
    assert set(store.trial_ids()) == before - set(stored["trials"])
