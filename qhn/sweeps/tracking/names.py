"""The names of runs, and the names of the tags by which programs and filters find them."""

from __future__ import annotations

import getpass
from functools import cache

from qhn.sweeps.planning.factors import factors, varying
from qhn.sweeps.planning.plan import Plan

#: What a run describes: a ``sweep``, a ``group`` or a ``trial``.
KIND_TAG = "qhn.kind"
SWEEP_TAG, TRIAL_TAG = "qhn.sweep", "qhn.trial_id"
#: Tags of groups and trials: the id of the group for programs, and its label for people.
GROUP_ID_TAG, GROUP_TAG = "qhn.group_id", "qhn.group"
#: A tag of groups: a digest of the trials and ends that the numbers were made from.
RESULTS_TAG = "qhn.results"
# These tags are MLflow's own.
PARENT_TAG, NAME_TAG, NOTE_TAG = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
COLOUR_TAG = "mlflow.runColor"
# Ten hues, and then dark and light ones. The first twenty groups differ, and a chart shows twenty.
_COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"),
    *("#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"),
    *("#0b3c5d", "#7a0c0c", "#0e5a2a", "#4b2e83", "#a34700"),
    *("#7fb2e5", "#ff9896", "#98df8a", "#c5b0d5", "#ffbb78"),
)


@cache
def source_tags() -> dict[str, str]:
    """The tags that fill MLflow's columns "User" and "Source"."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "qhn", "mlflow.source.type": "LOCAL"}


def group_names(plan: Plan) -> dict[str, str]:
    """The name of each group's run, by group id: its label, with what varies in the sweep first.

    MLflow's page shows only some thirty characters of a name. A label begins with the data set and
    the objective, so in a sweep with only one of each all names would look the same.
    """
    configs, over_tasks = plan.group_configs, plan.over_tasks
    names = {}
    # A label shows numbers with 4 digits, or with 17 if 4 do not tell groups apart (see
    # `qhn.sweeps.planning.labels`). We do not know which, so we try both.
    for digits in (4, 17):
        by_group = {
            group_id: factors(config, digits, over_tasks=over_tasks)
            for group_id, config in configs.items()
        }
        moving = varying(by_group)
        for group_id, of_group in by_group.items():
            stated = [f for f in of_group if f.always or (f.scope, f.title) in moving]
            if " ".join(f.label for f in stated) == plan.groups[group_id]:
                # The sort is stable: within both parts the order is that of the label.
                stated.sort(key=lambda factor: (factor.scope, factor.title) not in moving)
                names[group_id] = " ".join(factor.label for factor in stated)
    return {group_id: names.get(group_id, label) for group_id, label in plan.groups.items()}


def colour(number: int) -> str:
    """The colour of a group in charts, as ``#rrggbb``.

    MLflow would choose a colour from the id of the run, and choose the same one for several groups.

    Args:
        number: the place of the group in the sweep, counted from 0.
    """
    return _COLOURS[number % len(_COLOURS)]


def trial_name(group_name: str, seed: int, data_seed: int | None = None) -> str:
    """The name of a trial's run. The seeds come first, because the rest is that of its group."""
    task = "" if data_seed is None else f"data-seed={data_seed} "
    return f"seed={seed} {task}{group_name}"
