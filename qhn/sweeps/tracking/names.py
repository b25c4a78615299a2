"""What runs are called, and the tags by which programs and filters find them."""

from __future__ import annotations

import getpass
from functools import cache

from qhn.sweeps.planning.factors import factors, varying
from qhn.sweeps.planning.plan import Plan

#: Whether a run is a sweep's own, a group's or a trial's: ``sweep``, ``group``, ``trial``.
KIND_TAG = "qhn.kind"
SWEEP_TAG, TRIAL_TAG = "qhn.sweep", "qhn.trial_id"
#: Of groups and trials: the group's id for programs, and its label for people.
GROUP_ID_TAG, GROUP_TAG = "qhn.group_id", "qhn.group"
#: Of a group: a digest of the trials and ends that its numbers were made from.
RESULTS_TAG = "qhn.results"
# MLflow's own.
PARENT_TAG, NAME_TAG, NOTE_TAG = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
COLOUR_TAG = "mlflow.runColor"
# Ten hues, then dark and light ones: twenty groups, as many as a chart shows, differ.
_COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"),
    *("#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"),
    *("#0b3c5d", "#7a0c0c", "#0e5a2a", "#4b2e83", "#a34700"),
    *("#7fb2e5", "#ff9896", "#98df8a", "#c5b0d5", "#ffbb78"),
)


@cache
def source_tags() -> dict[str, str]:
    """Who runs the sweep and with what, as MLflow's columns "User" and "Source" show it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "qhn", "mlflow.source.type": "LOCAL"}


def group_names(plan: Plan) -> dict[str, str]:
    """Each group's label with what varies in the sweep at the front, by group id.

    MLflow's page cuts names off after some thirty characters. A sweep of one data set and one
    objective would show nothing but these two, which a label always names first.
    """
    configs = {trial.group_id: trial.config for trial in reversed(plan.trials)}
    names = {}
    # The digits for which the label was chosen: see `labels`.
    for digits in (4, 17):
        by_group = {group_id: factors(config, digits) for group_id, config in configs.items()}
        moving = varying(by_group)
        for group_id, of_group in by_group.items():
            stated = [f for f in of_group if f.always or (f.scope, f.title) in moving]
            if " ".join(f.label for f in stated) == plan.groups[group_id]:
                # Sorting keeps the order of the label within both parts.
                stated.sort(key=lambda factor: (factor.scope, factor.title) not in moving)
                names[group_id] = " ".join(factor.label for factor in stated)
    return {group_id: names.get(group_id, label) for group_id, label in plan.groups.items()}


def colour(number: int) -> str:
    """The colour of a sweep's group in charts, by the group's place in the file.

    MLflow takes one of its own from the run's id, and gives the same to several.
    """
    return _COLOURS[number % len(_COLOURS)]


def trial_name(group_name: str, seed: int) -> str:
    """A trial's name: below its group's run, the seed is what differs."""
    return f"seed={seed} {group_name}"
