"""A store, its sweep files and its MLflow database, made by version f0fdd86, go on as they were."""

import shutil

import numpy as np
import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import parse_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def old(qhn, unpack_old_store):
    """The command line on the old store."""
    shutil.rmtree(qhn.root)
    unpack_old_store(qhn.root)
    return qhn


def angles(values):
    return np.array([float.fromhex(value) for value in values])


def content(folder):
    """Every file of some trials, with the time of its last change."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder)
        if path.is_file() and path.name != "lock"
    }


def test_a_killed_sweep_goes_on_to_the_same_end(old, golden):
    stored = golden("stored.json")["half"]
    file = old.write(stored["text"])
    finished = [i for i, trial in stored["trials"].items() if trial["then"] == "finished"]
    assert len(finished) >= 3
    before = content(path for i in finished for path in (old.root / i).iterdir())
    summary = old.run(file)
    assert (summary["skipped"], summary["trials"]) == (len(finished), 9)
    assert summary["results_digest"] == stored["digest"]
    assert content(before) == before  # nothing was trained twice, nothing written again
    for trial_id, trial in stored["trials"].items():
        found = old.store.checkpoint(trial_id)["parameters"].ravel()
        np.testing.assert_allclose(found, angles(trial["angles"]), rtol=0, atol=1e-9)
    old.check_tracking(file, "half", 30000)


def test_a_raced_sweep_keeps_its_stops_and_others_go_on_from_them(old, golden, tmp_path_factory):
    stored = golden("stored.json")["raced"]
    file = old.write(stored["text"])
    plan = make_plan(parse_spec(stored["text"]))
    assert {trial.former_id for trial in plan.trials} == set(stored["trials"])
    old_files = content(p for i in stored["trials"] for p in (old.root / i).glob("*"))
    stops = {
        trial.trial_id: stored["trials"][trial.former_id]["step"]
        for trial in plan.trials
        if stored["trials"][trial.former_id]["then"] == "stopped"
    }
    assert len(stops) >= 3
    assert {i: r.steps for i, r in outcomes(plan, old.store).items()} == {
        # The angles of a checkpoint are one step beyond the report at which a trial was stopped.
        trial_id: step - 1
        for trial_id, step in stops.items()
    }
    summary = old.run(file)
    assert summary["skipped"] == len(stops)
    ended = outcomes(plan, old.store)
    assert len(ended) == 12
    assert content(old_files) == old_files  # read through, and never moved or changed
    runs = old.runs("raced")
    assert sorted(run.data.tags["qhn.trial_id"] for run in runs) == sorted(ended)
    assert {run.info.status for run in runs} == {"FINISHED"}

    # Another sweep wants the stopped ones whole: they go on from where they were stopped.
    whole = old.write(stored["text"].split("early_stopping")[0].replace("raced", "whole"))
    undisturbed = type(old)(tmp_path_factory.mktemp("undisturbed"))
    assert old.train(whole, only=stops) == undisturbed.train(whole, only=stops)
    assert {old.store.result(trial_id).steps for trial_id in stops} == {20000}
    # And what others did changes nothing for the sweep that stopped them.
    assert old.run(old.write(stored["text"]))["results_digest"] == summary["results_digest"]


def test_trainings_that_diverged_are_failures_and_not_trained_again(old, golden):
    stored = golden("stored.json")["diverged"]
    file = old.write(stored["text"])
    before = content(p for i in stored["trials"] for p in (old.root / i).iterdir())
    summary = old.run(file, code=1)
    assert (summary["finished"], summary["failed"], summary["skipped"]) == (0, 2, 2)
    assert content(before) == before
    for trial_id in old.store.failed(old.trials(file)):
        error = old.store.error(trial_id)
        assert "exploding-gradient" in error.flags
        assert "smaller learning rate" in error.message
