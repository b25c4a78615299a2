"""``qhn sweep export``: the table and the curves as a file, bit for bit."""

import csv
import io
import subprocess
import sys
from dataclasses import replace

import pytest

from qhn.core.metrics import METRICS
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import history_until, read_record

SWEEP = """
name: exported
datasets: [moons]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle, {name: elbo, lambda: 0.1}]
seeds: 2
training: {steps: 20, report_every: 10}
"""
PLAN = make_plan(parse_spec(SWEEP))


@pytest.fixture
def trained(qhn):
    """Three of four trials."""
    qhn.train(qhn.write(SWEEP), only=[trial.trial_id for trial in PLAN.trials[:3]])
    return qhn


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_trial_is_a_row_in_full_precision(trained):
    rows = rows_of(trained("sweep", "export", "exported", "--format", "csv"))
    assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in PLAN.trials]
    assert [row["status"] for row in rows] == ["finished"] * 3 + ["waiting"]
    assert [row["seed"] for row in rows] == ["0", "0", "1", "1"]
    assert [row["steps"] for row in rows] == ["20", "20", "20", ""]
    for row in rows[:3]:
        metrics = trained.store.result(row["trial_id"]).metrics
        assert {name: float(row[name]) for name in metrics} == metrics
    assert rows[3]["nll"] == ""
    assert [row["objective.lambda.value"] for row in rows] == ["", "0.1", "", "0.1"]


def test_every_report_is_a_row_of_the_curves(trained):
    rows = rows_of(trained("sweep", "export", "exported", "--curves"))
    names = [metric.name for metric in METRICS]
    assert list(rows[0]) == ["trial_id", "group_id", "seed", "data_seed", "step", *names]
    assert [int(row["step"]) for row in rows] == [0, 10, 20] * 3
    for number, trial in enumerate(PLAN.trials[:3]):
        history = read_record(trained.store, trial.trial_id).history
        for row, (step, _, metrics) in zip(rows[3 * number :], history.items(), strict=False):
            assert (row["trial_id"], row["group_id"]) == (trial.trial_id, trial.group_id)
            assert (int(row["step"]), int(row["seed"])) == (step, trial.config.seed)
            # KALE is a metric of its own objective alone.
            assert {name: float(row[name]) for name in names if row[name]} == metrics


def test_curves_of_a_stopped_trial_end_at_its_stop(trained):
    text = SWEEP.replace("exported", "raced") + "early_stopping: {kind: asha, grace_steps: 10}\n"
    plan = make_plan(parse_spec(text))
    kept, trial = trained.store.sweep("raced"), plan.trials[0]
    kept.save_file(text)
    history = history_until(read_record(trained.store, trial.trial_id).history, 10)
    stop = replace(
        trained.store.result(trial.trial_id), status="stopped", steps=10, metrics=history.last()
    )
    kept.save_stop(plan.early_stopping.content(), stop)
    rows = rows_of(trained("sweep", "export", "raced", "--curves"))
    assert [int(row["step"]) for row in rows if row["trial_id"] == trial.trial_id] == [0, 10]
    (row, *_) = rows_of(trained("sweep", "export", "raced"))
    assert (row["status"], row["steps"]) == ("stopped", "10")
    assert float(row["nll"]) == history.last()["nll"]


def test_a_file_holds_what_is_printed(trained):
    printed = trained("sweep", "export", "exported")
    target = trained.folder / "new" / "results.csv"
    assert "4 rows in" in trained("sweep", "export", "exported", "--output", target)
    assert target.read_text() == printed


def test_what_cannot_be_written_or_is_not_there_is_one_message(trained):
    output = trained("sweep", "export", "exported", "--output", trained.folder, code=2)
    assert "exported file must be writable" in output and "Traceback" not in output
    assert "no sweep named" in trained("sweep", "export", "nothing", code=2)
    assert "csv" in trained("sweep", "export", "exported", "--format", "xls", code=2)


def test_a_reader_that_goes_away_is_no_error_with_a_traceback(trained):
    command = [sys.executable, "-m", "qhn.cli", "sweep", "export", "exported", "--curves"]
    ended = subprocess.run(
        ["bash", "-c", f"{' '.join(command)} | true; echo ${{PIPESTATUS[0]}}"],
        env=trained.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    assert ended.stdout.strip() in ("0", "1")  # 0 where all of it had fitted into the pipe
