"""The description of a sweep, in Markdown."""

from dataclasses import replace

import pytest
from tracked_examples import history, plan_of, result

from qhn.sweeps.results.statistics import summarise
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import TrackingLocation, tracking_location
from qhn.sweeps.tracking.note import resume_command, sweep_note

SPEC = """
name: NAME
datasets: [moons, ring]
objectives: [mle, {name: elbo, lambda: LAMBDAS}]
seeds: SEEDS
"""


def summaries(plan, accuracy):
    """Each trial ends with the accuracy that a function gives it."""
    results = {}
    for trial in plan.trials:
        rows = history(0, 10, value=lambda step, trial=trial: accuracy(trial))
        results[trial.trial_id] = result(trial, rows)
    return summarise(make_rows(plan.trials, results, {}))


def two_by_two(accuracy):
    plan = plan_of("noted", spec=SPEC.replace("LAMBDAS", "1"))
    return plan, summaries(plan, accuracy)


def test_the_best_of_each_data_set_is_marked():
    def accuracy(trial):
        good = (trial.config.dataset.name == "moons") == (trial.config.objective.name == "mle")
        return (0.9 if good else 0.8) + trial.config.seed / 50

    plan, groups = two_by_two(accuracy)
    note = sweep_note(plan, groups, "qhn sweep resume noted")
    rows = [line for line in note.splitlines() if line.startswith("|")][2:]
    # Seeds 0 and 1: mean 0.91 and 0.81, deviation 0.02 / sqrt(2).
    assert [row for row in rows if "**" in row] == [
        "| moons | mle | 2 | **0.910 ± 0.014** | 0.910 ± 0.014 | 0.910 ± 0.014 | 0.910 ± 0.014 |",
        "| ring | elbo | 2 | **0.910 ± 0.014** | 0.910 ± 0.014 | 0.910 ± 0.014 | 0.910 ± 0.014 |",
    ]
    assert len(rows) == 4
    assert "8 trials in 4 groups" in note
    assert "steps 250" in note
    assert "    qhn sweep resume noted" in note


def test_the_description_of_the_file_comes_first():
    plan, groups = two_by_two(lambda trial: 0.5)
    note = sweep_note(replace(plan, description="Does λ *help*?\n"), groups, None)
    assert note.startswith("Does λ *help*?\n\n")
    assert "To go on" not in note


def test_before_any_result_there_is_no_table():
    plan, _ = two_by_two(lambda trial: 0.5)
    assert "|" not in sweep_note(plan, [], None)


def test_of_many_groups_the_best_of_each_data_set_are_shown():
    lambdas = str(list(range(1, 121)))
    plan = plan_of("noted", seeds=1, spec=SPEC.replace("LAMBDAS", lambdas))

    def accuracy(trial):
        found = trial.config.objective.lambda_
        return 0.1 if found is None else found.value / 200

    groups = summaries(plan, accuracy)
    note = sweep_note(plan, groups, "qhn sweep resume noted")
    rows = [line for line in note.splitlines() if line.startswith("|")][2:]
    assert len(note) <= 4500
    for dataset in ("moons", "ring"):
        shown = [row for row in rows if row.startswith(f"| {dataset} ")]
        assert len(shown) > 10
        assert "| 120 |" in shown[0] and "**0.600**" in shown[0]
    assert "summary.csv" in note
    assert note.rstrip().endswith("qhn sweep resume noted")


def test_a_long_description_is_cut_and_leaves_the_rest():
    plan, groups = two_by_two(lambda trial: 0.5)
    note = sweep_note(replace(plan, description="x" * 5000), groups, "qhn sweep resume noted")
    assert len(note) <= 4500
    assert "x …\n" in note
    assert note.endswith("qhn sweep resume noted")


@pytest.mark.parametrize(
    ("uri", "option"),
    [
        (None, ""),
        ("sqlite:////elsewhere/runs.db", " --tracking-uri sqlite:////elsewhere/runs.db"),
        ("http://user:secret@host:5000", " --tracking-uri http://host:5000"),
    ],
)
def test_the_command_that_resumes_names_places_and_no_password(tmp_path, monkeypatch, uri, option):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = open_store(str(tmp_path / "my store"))
    location = tracking_location(store, uri)
    command = resume_command("noted", store, location)
    assert command == f"qhn sweep resume noted --store '{tmp_path}/my store'{option}"


def test_the_default_store_needs_no_naming(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store("~/.qhn")
    database = tmp_path / ".qhn" / "mlflow.db"
    location = TrackingLocation(f"sqlite:///{database}", database)
    assert resume_command("noted", store, location) == "qhn sweep resume noted"
