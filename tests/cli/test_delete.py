"""``qhn sweep delete``: what it says, whom it asks, what is gone and what stays."""

import json
from unittest import mock

import pytest

from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SWEEP = """
name: {name}
datasets: [moons]
networks: [{{kind: mlp, hidden: 1}}]
objectives: [mle]
seeds: {seeds}
training: {{steps: 10, report_every: 10}}
"""


@pytest.fixture
def two(qhn):
    """A sweep of seeds 0 to 2, and one of seed 2 alone, trained without MLflow."""
    for name, seeds in (("shared", "[2]"), ("doomed", 3)):
        qhn.train(qhn.write(SWEEP.format(name=name, seeds=seeds)))
    return qhn


def answered(answer):
    """A terminal at which somebody gives this answer."""
    stdin = mock.patch("sys.stdin", mock.Mock(isatty=lambda: True))
    return stdin, mock.patch("typer.confirm", lambda question: answer)


def ids(seeds):
    return [
        trial.trial_id
        for trial in make_plan(parse_spec(SWEEP.format(name="x", seeds=seeds))).trials
    ]


def test_what_goes_and_what_stays_is_said_before_it_is_asked(two):
    stdin, confirm = answered(False)
    with stdin, confirm:
        output = two("sweep", "delete", "doomed", code=1)
    assert "doomed: 2 trials and the sweep's own files in" in output
    assert "1 trial of it stays, since other sweeps plan it too: shared" in output
    assert "nothing was deleted" in output
    assert two.status("doomed")["finished"] == 3


def test_what_a_deletion_frees_is_what_the_list_says(qhn):
    qhn.train(qhn.write(SWEEP.format(name="doomed", seeds=2)))
    (qhn.root / "artifacts/doomed/1").mkdir(parents=True)
    (qhn.root / "artifacts/doomed/1/summary.csv").write_bytes(b"x" * 1_000_000)
    (listed,) = json.loads(qhn("sweep", "list", "--json"))
    assert listed["bytes"] > 1_000_000
    output = qhn("sweep", "delete", "doomed", code=2)
    assert f"which take {size_text(listed['bytes'])} on disk with MLflow's artifacts" in output


def test_without_a_terminal_nothing_is_deleted(two):
    with mock.patch("sys.stdin", mock.Mock(isatty=lambda: False)):
        output = two("sweep", "delete", "doomed", code=2)
    assert "add --yes" in output
    assert two.status("doomed")["finished"] == 3


@pytest.mark.parametrize("yes", [True, False])
def test_what_no_other_sweep_plans_is_gone(two, yes):
    stdin, confirm = answered(True)
    with stdin, confirm:
        output = two("sweep", "delete", "doomed", *(["--yes"] if yes else []))
    assert "doomed is deleted, with 2 trials" in output
    assert two.store.trial_ids() == ids("[2]")
    assert [sweep.name for sweep in two.store.sweeps()] == ["shared"]
    assert two.status("shared")["finished"] == 1
    assert not (two.root / "sweeps" / "doomed").exists()
    assert not (two.root / "mlflow.db").exists()  # no database is made to delete from
    assert "no sweep named 'doomed'" in two("sweep", "delete", "doomed", "--yes", code=2)


def test_a_sweep_that_runs_is_refused(two):
    with two.store.sweep("doomed").lock:
        output = two("sweep", "delete", "doomed", "--yes", code=2)
    assert "must not run while it is deleted, but process" in " ".join(output.split())
    assert two.status("doomed")["finished"] == 3


def test_an_unreadable_neighbour_keeps_every_trial(two):
    two.store.sweep("odd").save_file("name: [")
    output = two("sweep", "delete", "doomed", "--yes")
    assert "its 3 trials stay: the file of odd cannot be read" in output
    assert len(two.store.trial_ids()) == 3
    assert [sweep.name for sweep in two.store.sweeps()] == ["odd", "shared"]


def test_of_an_unreadable_sweep_only_its_own_files_go(two):
    two.store.sweep("doomed").save_file("name: [")
    output = two("sweep", "delete", "doomed", "--yes")
    assert "nobody knows which trials it has" in output
    assert len(two.store.trial_ids()) == 3
    assert [sweep.name for sweep in two.store.sweeps()] == ["shared"]
