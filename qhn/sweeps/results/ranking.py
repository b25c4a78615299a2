"""Ranks the groups of a sweep by one metric, separately for each data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME
from qhn.sweeps.config.sections import DatasetConfig
from qhn.sweeps.results.statistics import SHOWN, GroupSummary


def check_metric(name: str) -> str:
    """Return the name of a metric if the summaries of groups have it.

    Raises:
        InvalidValueError: if they do not.
    """
    if name not in SHOWN:
        near = get_close_matches(name, SHOWN, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidValueError(
            f"the metric must be one of {', '.join(SHOWN)}, but got {name!r}{hint}"
        )
    return name


def has_direction(metric: str) -> bool:
    """Whether larger or smaller values of a metric are better. For the entropy, neither are."""
    return BY_NAME[metric].better != "neither"


def ranked(groups: Iterable[GroupSummary], metric: str) -> list[list[GroupSummary]]:
    """The groups of each data set, the best first.

    If neither direction of the metric is better, the largest mean comes first. A mean that is NaN
    comes last. The moons with two values of the noise, or with two data seeds, are two data sets,
    because accuracies on them cannot be compared.

    Args:
        groups: groups of one sweep, in the order of its plan. Groups with equal means keep it.
        metric: one of `SHOWN`.

    Returns:
        One list for each data set, in the order in which data sets first appear.
    """
    by_dataset: dict[DatasetConfig, list[GroupSummary]] = {}
    for group in groups:
        by_dataset.setdefault(group.config.dataset, []).append(group)
    sign = 1.0 if BY_NAME[metric].better == "down" else -1.0

    # NaN compares with nothing, so `sorted` needs a key without it.
    def place(group: GroupSummary) -> tuple[bool, float]:
        mean = group.intervals[metric].mean
        return (True, 0.0) if math.isnan(mean) else (False, sign * mean)

    return [sorted(members, key=place) for members in by_dataset.values()]


def winners(groups: Sequence[GroupSummary], metric: str) -> set[str]:
    """The ids of the best group of each data set, or of several if their means are equal.

    Only groups in which every planned trial has a result take part. A mean over the first few seeds
    can still change, and a mean over the seeds that did not fail may be too good. If neither
    direction of the metric is better, there is no best group.

    Args:
        groups: all groups of one sweep that have a result.
        metric: one of `SHOWN`.
    """
    if not has_direction(metric):
        return set()
    complete = [group for group in groups if group.trials == group.planned]
    best: set[str] = set()
    for members in ranked(complete, metric):
        top = members[0].intervals[metric].mean
        best |= {group.group_id for group in members if group.intervals[metric].mean == top}
    return best
