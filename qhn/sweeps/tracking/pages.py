"""How MLflow's page opens a sweep: as a leaderboard of groups, with columns and charts chosen.

The page keeps its state in the browser, in the address, and in saved views: tags of the experiment
whose names begin with ``mlflow.sharedViewState.`` and whose values are JSON. Only a saved view can
say which columns and charts are shown. Its format is MLflow's own and not documented; a page that
does not know it shows its usual columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlencode

from qhn.core.metrics import ACCURACIES, HEADLINE
from qhn.sweeps.config.settings import settings
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.tracking.group_content import FAILED, FLAGS_TAG, SEEDS
from qhn.sweeps.tracking.names import KIND_TAG

GROUPS_FILTER = f"tags.`{KIND_TAG}` = 'group'"
_VIEW_TAG = "mlflow.sharedViewState."
_LEADERBOARD = "leaderboard"
# The page opens for language models unless the address or, in older versions, the tag says else.
_KIND_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MODEL_TRAINING = {"workflowType": "machine_learning"}
_MOST_DATASETS = 10
# Some versions of MLflow refuse longer tags of experiments.
_LONGEST_TAG = 5000
_TEST = [metric.name for metric in ACCURACIES if metric.name.startswith("test_")]
_CURVES = [HEADLINE, "nll", "entropy", "gradient_norm"]
_SECTION, _OTHERS = "qhn-groups", "qhn-all"


def page_tags(plan: Plan) -> dict[str, str]:
    """The experiment's tags that choose what its page shows.

    One saved view compares all groups, and where a sweep has several data sets, there is one more
    for each: groups are compared on one data set, not across them.
    """
    tags = dict(_KIND_TAGS)
    tags[_VIEW_TAG + _LEADERBOARD] = _view("Leaderboard", plan, GROUPS_FILTER)
    names = dict.fromkeys(trial.config.dataset.name for trial in plan.trials)
    if 1 < len(names) <= _MOST_DATASETS:
        for name in names:
            of_dataset = f"{GROUPS_FILTER} and tags.dataset = '{name}'"
            tags[f"{_VIEW_TAG}{name}"] = _view(f"Leaderboard: {name}", plan, of_dataset)
    return tags


def leaderboard_address(experiment: str, charts: bool = False) -> str:
    """The part of the address behind the server's that opens a sweep's leaderboard.

    It names the saved view and nothing that the view decides: where the address has a filter or an
    order of its own, the page ignores the view.

    Args:
        experiment: MLflow's id of the sweep's experiment.
        charts: whether to open the charts instead of the table.
    """
    query = {**_MODEL_TRAINING, "viewStateShareKey": _LEADERBOARD}
    if charts:
        query["compareRunsMode"] = "CHART"
    return f"#/experiments/{experiment}/runs?{urlencode(query)}"


def runs_address(experiment: str) -> str:
    """The part of the address that opens the runs of a sweep that has no saved view."""
    return f"#/experiments/{experiment}/runs?{urlencode(_MODEL_TRAINING)}"


def has_leaderboard(tags: Iterable[str]) -> bool:
    """Whether an experiment with tags of these names has the saved view."""
    return _VIEW_TAG + _LEADERBOARD in tags


def page_links(plan: Plan, experiment: str, sweep_run: str) -> str:
    """Links to a sweep's pages, as the first line of its description, which is always shown.

    MLflow's page opens in the mode for language models for whoever comes by no link of ours, and
    shows of an experiment this line alone.
    """
    counts = f"{len(plan.trials):,} trials in {len(plan.groups):,} groups"
    table, charts = (leaderboard_address(experiment, charts=charts) for charts in (False, True))
    own = f"#/experiments/{experiment}/runs/{sweep_run}"
    return (
        f"{counts}: **[Leaderboard]({table})** · [Charts]({charts}) · [The sweep's own run]({own})"
    )


def _view(name: str, plan: Plan, search_filter: str) -> str:
    """The value of a tag: as many columns of settings as there is room for."""
    varying = _varying_settings(plan)
    while len(text := _view_of(name, varying, search_filter)) > _LONGEST_TAG and varying:
        varying.pop()
    return text


def _view_of(name: str, varying: Sequence[str], search_filter: str) -> str:
    widths = dict(_columns(varying))
    state = {
        "searchFilter": search_filter,
        "orderByKey": _metric(HEADLINE),
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*widths],
        "columnOrder": [*widths],
        "columnWidths": widths,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": list(_charts()),
        "compareRunSections": [
            _section(_SECTION, "Groups compared", shown=True),
            # The page itself fills this one with a chart for each metric.
            _section(_OTHERS, "Model metrics", shown=False),
        ],
    }
    # The page wants a time; a constant keeps the tag the same where nothing has changed.
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def _columns(varying: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Columns of the table and their widths in pixels, from left to right."""
    yield "attributes.`Run Name`", 300
    yield "runDateAndNestInfo", 155
    yield _metric(HEADLINE), 165
    yield _metric(f"{HEADLINE}.sd"), 180
    yield from ((_metric(name), 165) for name in _TEST if name != HEADLINE)
    yield _metric(SEEDS), 60
    yield _metric(FAILED), 60
    yield f"tags.`{FLAGS_TAG}`", 160
    yield from ((f"params.`{name}`", 120) for name in varying)


def _varying_settings(plan: Plan) -> list[str]:
    """Names of the settings in which groups differ, in the order of their parameters."""
    configs = {trial.group_id: trial.config for trial in plan.trials}
    named = [settings(config) for config in configs.values()]
    names = dict.fromkeys(name for of_group in named for name in of_group if name != "seed")
    return [name for name in names if len({of_group.get(name) for of_group in named}) > 1]


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _section(uuid: str, name: str, shown: bool) -> dict[str, object]:
    return {
        "uuid": uuid,
        "name": name,
        "display": shown,
        "isReordered": False,
        "deleted": False,
        "isGenerated": True,
    }


def _charts() -> Iterator[dict[str, object]]:
    """What compares groups: bars of their final accuracy, and how they got there."""
    common = {
        "metricSectionId": _SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 20,
    }
    yield {
        "type": "BAR",
        "uuid": "qhn-bars",
        "metricKey": HEADLINE,
        **common,
    }
    for name in _CURVES:
        yield {
            "type": "LINE",
            "uuid": f"qhn-{name}",
            "metricKey": name,
            "selectedMetricKeys": [name],
            "xAxisKey": "step",
            "range": {},
            "yAxisKey": "metric",
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
            **common,
        }
