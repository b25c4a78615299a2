"""Makes MLflow's page open a sweep as a leaderboard of groups, with chosen columns and charts.

The page takes its state from the browser, from the address, and from saved views. A saved view is a
tag of the experiment whose name begins with ``mlflow.sharedViewState.`` and whose value is JSON.
Only a saved view can say which columns and charts are shown. MLflow does not document its format;
a version of the page that does not understand it shows its usual columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlencode

from qhn.core.metrics import ACCURACIES, HEADLINE
from qhn.sweeps.config.settings import of_group
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.tracking.group_content import FAILED, FLAGS_TAG, SEEDS
from qhn.sweeps.tracking.names import KIND_TAG

GROUPS_FILTER = f"tags.`{KIND_TAG}` = 'group'"
_VIEW_TAG = "mlflow.sharedViewState."
_LEADERBOARD = "leaderboard"
# The page opens in its view for language models, unless the address or, in older versions of
# MLflow, a tag of the experiment says otherwise.
_KIND_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MODEL_TRAINING = {"workflowType": "machine_learning"}
_MOST_DATASETS = 10
# Some versions of MLflow refuse longer tags of experiments.
_LONGEST_TAG = 5000
_TEST = [metric.name for metric in ACCURACIES if metric.name.startswith("test_")]
_CURVES = [HEADLINE, "nll", "entropy", "gradient_norm"]
_SECTION, _OTHERS = "qhn-groups", "qhn-all"


def page_tags(plan: Plan) -> dict[str, str]:
    """The tags of the experiment that choose what its page shows.

    One saved view shows all groups. If the sweep has several data sets, each of them has a view of
    its own, because accuracies on different data sets cannot be compared.
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
    """The part of the address after the server's, which opens the leaderboard of a sweep.

    It only names the saved view. If the address had a filter or an order as well, the page would
    ignore the view.

    Args:
        experiment: MLflow's id of the sweep's experiment.
        charts: whether to open the charts instead of the table.
    """
    query = {**_MODEL_TRAINING, "viewStateShareKey": _LEADERBOARD}
    if charts:
        query["compareRunsMode"] = "CHART"
    return f"#/experiments/{experiment}/runs?{urlencode(query)}"


def runs_address(experiment: str) -> str:
    """The part of the address after the server's, which opens the list of a sweep's runs."""
    return f"#/experiments/{experiment}/runs?{urlencode(_MODEL_TRAINING)}"


def has_leaderboard(tags: Iterable[str]) -> bool:
    """Whether an experiment whose tags have these names has a leaderboard."""
    return _VIEW_TAG + _LEADERBOARD in tags


def page_links(plan: Plan, experiment: str, sweep_run: str) -> str:
    """Links to the pages of a sweep, in Markdown, as the first line of its description.

    Without one of our links, MLflow's page opens an experiment in its view for language models and
    shows only the first line of the description.

    Args:
        plan: the plan of the sweep.
        experiment: MLflow's id of the sweep's experiment.
        sweep_run: MLflow's id of the sweep's own run.
    """
    counts = f"{len(plan.trials):,} trials in {len(plan.groups):,} groups"
    table, charts = (leaderboard_address(experiment, charts=charts) for charts in (False, True))
    own = f"#/experiments/{experiment}/runs/{sweep_run}"
    return (
        f"{counts}: **[Leaderboard]({table})** · [Charts]({charts}) · [The sweep's own run]({own})"
    )


def _view(name: str, plan: Plan, search_filter: str) -> str:
    """The value of a tag with a saved view, with as many columns of settings as fit."""
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
            # The page fills this section with a chart for each metric.
            _section(_OTHERS, "Model metrics", shown=False),
        ],
    }
    # The page needs times. With a constant the tag stays the same as long as nothing has changed,
    # and need not be sent again.
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def _columns(varying: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The columns of the table and their widths in pixels, from left to right."""
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
    """The names of the settings in which groups differ, in the order of their parameters."""
    named = [of_group(config, plan.over_tasks) for config in plan.group_configs.values()]
    names = dict.fromkeys(name for found in named for name in found)
    return [name for name in names if len({found.get(name) for found in named}) > 1]


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
    """The charts that compare groups: bars of the final accuracy, and curves of some metrics."""
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
