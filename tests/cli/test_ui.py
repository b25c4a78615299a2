"""``qhn ui`` up to the moment at which it becomes MLflow's server."""

import os

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import read_record
from qhn.sweeps.tracking import SweepRuns, TrackingLocation

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def ui(qhn, unpack_old_store, monkeypatch, tmp_path):
    """Runs ``qhn ui`` on the database of f0fdd86, which has three sweeps."""
    unpack_old_store(qhn.root)
    commands = []

    def become(program, command):
        commands.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    # Nothing starts here that could answer.
    monkeypatch.setattr("qhn.cli.ui.print_when_ready", lambda url, lines: print(*lines, sep="\n"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        output = qhn("ui", *arguments, "--port", "0", code=code)
        if code == 0:
            port = commands[-1][commands[-1].index("--port") + 1]
            output = output.replace(f":{port}", ":PORT")
        starting, *lines = output.splitlines()
        assert code or starting == "MLflow is starting, which takes some seconds ..."
        return lines if code == 0 else [starting, *lines]

    return run


def bring_up_to_date(qhn, name, golden):
    """What the next run of a sweep does to its old runs."""
    plan = make_plan(parse_spec(golden("stored.json")[name]["text"], "golden"))
    location = TrackingLocation(f"sqlite:///{qhn.root}/mlflow.db", qhn.root / "mlflow.db")
    runs = SweepRuns(location, plan, lambda trial: read_record(qhn.store, trial.trial_id))
    runs.close("FINISHED", {}, {}, "")


def test_the_links_open_table_and_charts_of_a_sweep(qhn, ui, golden):
    bring_up_to_date(qhn, "half", golden)
    first, table, charts = ui("half")
    assert first == "MLflow UI: http://127.0.0.1:PORT  (Ctrl-C ends it)"
    title, _, address = table.partition(": ")
    assert title == "leaderboard"
    page, _, query = address.strip().partition("?")
    client = qhn.client()
    experiment = client.get_experiment_by_name("half")
    assert page == f"http://127.0.0.1:PORT/#/experiments/{experiment.experiment_id}/runs"
    assert query == "workflowType=machine_learning&viewStateShareKey=leaderboard"
    assert "mlflow.sharedViewState.leaderboard" in experiment.tags
    assert charts.startswith("charts: ")
    assert charts.endswith(f"{query}&compareRunsMode=CHART")


def test_without_a_name_every_sweep_has_a_link_the_latest_first(qhn, ui, golden):
    bring_up_to_date(qhn, "raced", golden)
    _, *links = ui()
    # The driver of "half" was killed, so that its run is the one that has not ended yet.
    assert [link.partition(":")[0] for link in links[:3]] == ["half", "raced", "diverged"]
    assert links[1].endswith("viewStateShareKey=leaderboard")
    assert sorted(links[3:]) == [
        f"{name} has no leaderboard yet; `qhn sweep resume {name}` makes it"
        for name in ("diverged", "half")
    ]


def test_a_sweep_that_is_not_there_starts_no_server(ui):
    output = " ".join(ui("nothing", code=2))
    assert "but got 'nothing'" in output
    assert "MLflow UI" not in output
