"""What MLflow's page is told to show, and where the sweeps of a database are found."""

import json
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from mlflow.tracking import MlflowClient
from tracked_examples import open_runs, plan_of, runs_of

from qhn.core.errors import NotFoundError
from qhn.sweeps.tracking.lookup import find_sweeps
from qhn.sweeps.tracking.pages import leaderboard_address, page_tags

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

VIEW = "mlflow.sharedViewState."
WIDE = """
name: NAME
datasets: [moons, {name: ring, noise: 0.2}]
networks: [{kind: mlp, hidden: 2}, {kind: mlp, hidden: 3}]
ansatze: [{entangler: chain, depth: 1}, {entangler: ring, depth: 2}]
objectives:
  - mle
  - {name: elbo, lambda: [1, {schedule: exponential, start: 30, end: 0.3},
     {schedule: warmup, value: 1, start: 0, over: 0.5}, {schedule: cosine, start: 1, end: 2},
     {schedule: cyclic, low: 1, high: 2, cycles: 3}]}
  - {name: selbo, lambda: [30, 100], bandwidth: [n/4, 2.0], prior_samples: [closed form, 64]}
seeds: SEEDS
"""


def view_of(tag):
    return json.loads(json.loads(tag)["state"])


def test_the_leaderboard_shows_groups_by_test_accuracy():
    tags = page_tags(plan_of("any"))
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert [name for name in tags if name.startswith(VIEW)] == [f"{VIEW}leaderboard"]
    state = view_of(tags[f"{VIEW}leaderboard"])
    assert state["searchFilter"] == "tags.`qhn.kind` = 'group'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test_accuracy_expected`", False)
    assert "params.`objective.name`" in state["selectedColumns"]
    assert "params.`training.steps`" not in state["selectedColumns"]  # the same for all
    assert {chart["type"] for chart in state["compareRunCharts"]} == {"BAR", "LINE"}


def test_each_data_set_has_a_leaderboard_of_its_own():
    tags = page_tags(plan_of("any", spec=WIDE))
    assert {f"{VIEW}{name}" for name in ("leaderboard", "moons", "ring")} <= tags.keys()
    assert json.loads(tags[f"{VIEW}ring"])["name"] == "Leaderboard: ring"
    assert view_of(tags[f"{VIEW}ring"])["searchFilter"].endswith("and tags.dataset = 'ring'")
    # Some versions of MLflow refuse longer ones.
    assert max(map(len, tags.values())) <= 5000


def test_an_address_says_nothing_that_the_view_decides():
    page, _, query = leaderboard_address("7", charts=True).partition("?")
    assert page == "#/experiments/7/runs"
    assert parse_qs(query) == {
        "workflowType": ["machine_learning"],
        "viewStateShareKey": ["leaderboard"],
        "compareRunsMode": ["CHART"],
    }


def test_the_experiment_has_views_and_a_description_from_the_start(database, client, sweep):
    plan = replace(plan_of(sweep), description="Which λ?", tags={"project": "x"})
    runs = open_runs(database, plan)
    experiment = client.get_experiment_by_name(sweep)
    links, _, text = experiment.tags["mlflow.note.content"].partition("\n\n")
    (own,) = runs_of(client, sweep, "sweep")
    assert leaderboard_address(experiment.experiment_id) in links
    assert own.info.run_id in links
    assert text.startswith("Which λ?")
    assert f"{VIEW}leaderboard" in experiment.tags
    runs.close("FINISHED", {}, {"qhn.trials": "4"}, "It was *this* one.")
    experiment = client.get_experiment_by_name(sweep)
    assert experiment.tags["mlflow.note.content"] == f"{links}\n\nIt was *this* one."
    (own,) = runs_of(client, sweep, "sweep")
    tags = own.data.tags
    assert tags["mlflow.note.content"] == "It was *this* one."
    assert (tags["project"], tags["qhn.trials"]) == ("x", "4")
    assert (tags["mlflow.source.name"], tags["mlflow.source.type"]) == ("qhn", "LOCAL")
    assert tags["mlflow.user"]


def test_a_sweep_that_is_given_up_keeps_its_description(database, client, sweep):
    open_runs(database, sweep).close("FINISHED", {}, {}, "Well done.")
    open_runs(database, sweep).close("KILLED", {}, {})
    (own,) = runs_of(client, sweep, "sweep")
    assert own.data.tags["mlflow.note.content"] == "Well done."
    assert "Well done." in client.get_experiment_by_name(sweep).tags["mlflow.note.content"]


def test_a_database_of_our_own_has_no_empty_experiment(tmp_path):
    from qhn.sweeps.store import open_store
    from qhn.sweeps.tracking import tracking_location

    location = tracking_location(open_store(str(tmp_path)), f"sqlite:///{tmp_path}/mlflow.db")
    open_runs(location, "only")
    # Another address of the same file, since MLflow keeps what it has opened.
    again = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/./mlflow.db")
    assert [found.name for found in again.search_experiments()] == ["only"]


def test_sweeps_are_found_the_latest_first(old_database):
    found = find_sweeps(old_database)
    assert {sweep.name for sweep in found} == {"half", "raced", "diverged"}
    assert all(sweep.charts is None for sweep in found)  # none has a leaderboard yet
    open_runs(old_database, "half").close("FINISHED", {}, {}, "")
    latest, *others = find_sweeps(old_database)
    assert latest.name == "half"
    assert "viewStateShareKey=leaderboard" in latest.address
    assert latest.charts == f"{latest.address}&compareRunsMode=CHART"
    assert all("viewStateShareKey" not in sweep.address for sweep in others)
    assert find_sweeps(old_database, "half") == [latest]


def test_a_sweep_that_is_not_there_names_those_that_are(old_database):
    with pytest.raises(NotFoundError, match=r"diverged, half, raced\), but got 'halb'"):
        find_sweeps(old_database, "halb")
