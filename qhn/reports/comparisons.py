"""All comparisons of a sweep's groups with their baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import HEADLINE
from qhn.reports.compare import compare_deviations, compare_means, corrected
from qhn.reports.comparison import DEFAULT_ALPHA, DEFAULT_TIE, Comparison, Subject
from qhn.reports.grouping import Group, by_dataset
from qhn.reports.pairs import pair
from qhn.sweeps.results.ranking import check_metric
from qhn.sweeps.results.table import Row


@dataclass(frozen=True)
class Table:
    """The comparisons of one metric, corrected together.

    Attributes:
        comparisons: for each data set and group the comparison of the means, and that of the
            deviations if there is a task with two seeds.
        not_compared: the data set and the label of each group for which there is no baseline, or
            none with a common trial that has ended.
    """

    comparisons: tuple[Comparison, ...]
    not_compared: tuple[tuple[str, str], ...]


def compare_groups(
    rows: Iterable[Row],
    metric: str = HEADLINE,
    *,
    baseline: str | None = None,
    tie: float = DEFAULT_TIE,
    alpha: float = DEFAULT_ALPHA,
) -> Table:
    """Compare each group of each data set with its baseline.

    Args:
        rows: the rows of one sweep, or of several. A task is a data set with its data seed.
        metric: the name of a metric of which summaries are made.
        baseline: the label of the group with which all others of its data set are compared, without
            the name of the data set: ``elbo lambda=0.1``, for example. None compares each group
            with the group of mle that has all other settings in common with it.
        tie: differences of a smaller size count as ties, in the unit of the metric.
        alpha: the level of the tests.

    Raises:
        InvalidValueError: if there is no such metric, or if no data set has the baseline.
    """
    check_metric(metric)
    datasets = by_dataset(rows)
    if baseline is not None:
        _check_baseline(baseline, datasets.values())
    found: list[Comparison] = []
    alone: list[tuple[str, str]] = []
    for dataset, groups in datasets.items():
        find = _finder(groups, baseline)
        for group in groups:
            other = find(group)
            if other is group:
                continue
            compared = [] if other is None else _both(dataset, metric, group, other, tie, alpha)
            found += compared
            if not compared:
                alone.append((dataset, group.label))
    return Table(tuple(corrected(found)), tuple(alone))


def _check_baseline(baseline: str, datasets: Iterable[list[Group]]) -> None:
    labels = dict.fromkeys(group.label for groups in datasets for group in groups)
    if baseline not in labels:
        names = list(labels)
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        raise InvalidValueError(
            f"the baseline must be one of {', '.join(names[:20])}{more}, but got {baseline!r}"
        )


def _finder(groups: list[Group], baseline: str | None) -> Callable[[Group], Group | None]:
    """The function that finds the baseline of a group. A group of mle is its own baseline.

    A control has no circuit, so it is compared with mle if the sweep has only one such group for
    the same networks.
    """
    if baseline is not None:
        named = next((group for group in groups if group.label == baseline), None)
        return lambda group: named
    plain = {group.without_objective: group for group in groups if group.objective == "mle"}

    def find(group: Group) -> Group | None:
        if not group.is_control:
            return plain.get(group.without_objective)
        same = [one for one in plain.values() if one.network == group.network]
        return same[0] if len(same) == 1 else None

    return find


def _both(
    dataset: str, metric: str, group: Group, baseline: Group, tie: float, alpha: float
) -> list[Comparison]:
    subject = Subject(dataset, metric, group.label, baseline.label)
    ours, theirs = group.scores(metric), baseline.scores(metric)
    found = []
    if pair(ours, theirs):
        found.append(compare_means(subject, ours, theirs, tie=tie, alpha=alpha))
    if pair(ours, theirs, least_seeds=2):
        found.append(compare_deviations(subject, ours, theirs, tie=tie, alpha=alpha))
    return found
