"""The report that a run writes when it has ended, and what is said if that fails."""

import io
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from qhn.cli.reporting import report_at_the_end
from qhn.core.errors import TrackingError
from qhn.reports.figures.style import Gallery
from qhn.sweeps.tracking import tracking_location

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: ended
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle, {name: elbo, lambda: 1}]
seeds: 2
training: {steps: 5}
"""


def said(qhn):
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    report_at_the_end(console, "ended", qhn.store, tracking_location(qhn.store))
    return printed.getvalue()


def test_a_run_ends_with_a_report_that_mlflow_has_too(qhn):
    output = qhn.process("sweep", "run", qhn.write(SPEC), "--report")
    page = qhn.root / "sweeps" / "ended" / "report" / "report.html"
    assert "comparison" in output and "note" not in output
    client = MlflowClient(f"sqlite:///{qhn.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("ended").experiment_id
    (run,) = client.search_runs([experiment], "tags.`qhn.kind` = 'sweep'")
    names = {found.path for found in client.list_artifacts(run.info.run_id, "report")}
    files = {f"report/report.{kind}" for kind in ("html", "md", "json")}
    assert files | {"report/figures"} == names
    kept = client.download_artifacts(run.info.run_id, "report/report.html", str(qhn.folder))
    assert Path(kept).read_bytes() == page.read_bytes()


def test_whatever_goes_wrong_is_a_note(qhn, monkeypatch):
    qhn.store.sweep("ended").save_file(SPEC)
    assert "note without a report: a report needs a trial that has ended" in said(qhn)

    def refuse(*arguments):
        raise TrackingError("MLflow is away")

    qhn.train(qhn.write(SPEC))
    monkeypatch.setattr("qhn.sweeps.tracking.upload.upload", refuse)
    monkeypatch.setattr("qhn.reports.gallery.draw_all", lambda report, store: Gallery((), {}))
    monkeypatch.setattr("qhn.reports.writing.draw_all", lambda report, store: Gallery((), {}))
    text = said(qhn)
    assert "report.html" in text and "note without its copy in MLflow: MLflow is away" in text

    def fail(*arguments):
        raise ValueError("of a kind that nobody knows")

    monkeypatch.setattr("qhn.reports.writing.draw_all", fail)
    text = " ".join(said(qhn).split())
    assert "note the report failed (ValueError: of a kind that nobody knows)" in text
    assert "this tries again: qhn report ended" in text
