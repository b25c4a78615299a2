"""Which groups of a sweep are better than which: compared by one metric, within one data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME
from qhn.sweeps.config.sections import DatasetConfig
from qhn.sweeps.results.statistics import SHOWN, GroupSummary


def check_metric(name: str) -> str:
    """The name of a metric that summaries have.

    Raises:
        InvalidValueError: if they have none of that name.
    """
    if name not in SHOWN:
        near = get_close_matches(name, SHOWN, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidValueError(
            f"the metric must be one of {', '.join(SHOWN)}, but got {name!r}{hint}"
        )
    return name


def has_direction(metric: str) -> bool:
    """Whether more, or less, of the metric is better; of the entropy, for example, neither is."""
    return BY_NAME[metric].better != "neither"


def ranked(groups: Iterable[GroupSummary], metric: str) -> list[list[GroupSummary]]:
    """The groups of each data set, the best first; data sets in the order of their first groups.

    Where neither direction is better, the largest value comes first. A mean that is no number
    comes last. Two noises or two seeds of moons are two data sets, since what is trained on one
    of them says nothing about the other.

    Args:
        groups: of one sweep, in the order of its plan, in which groups of equal mean stay.
        metric: one of `SHOWN`.
    """
    by_dataset: dict[DatasetConfig, list[GroupSummary]] = {}
    for group in groups:
        by_dataset.setdefault(group.config.dataset, []).append(group)
    sign = 1.0 if BY_NAME[metric].better == "down" else -1.0

    def place(group: GroupSummary) -> tuple[bool, float]:
        mean = group.intervals[metric].mean
        return (True, 0.0) if math.isnan(mean) else (False, sign * mean)

    return [sorted(members, key=place) for members in by_dataset.values()]


def winners(groups: Sequence[GroupSummary], metric: str) -> set[str]:
    """Ids of the best groups of each data set, more than one where their means are equal.

    Only groups of which every planned trial has a result compete: a mean over the seeds that have
    come first, or over those that did not fail, may change or flatter. Where neither direction of
    the metric is better there is no best group.

    Args:
        groups: of one sweep.
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
