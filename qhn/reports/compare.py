"""Comparisons of a group with a baseline, paired over tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.reports.comparison import (
    DEFAULT_ALPHA,
    DEFAULT_TIE,
    Comparison,
    Quantity,
    Subject,
    Unit,
)
from qhn.reports.effect import effect_size
from qhn.reports.holm import holm
from qhn.reports.pairs import PairedTask, Scores, pair
from qhn.reports.signed_rank import signed_rank
from qhn.sweeps.results.statistics import mean_interval


def compare_means(
    subject: Subject,
    group: Scores,
    baseline: Scores,
    *,
    tie: float = DEFAULT_TIE,
    alpha: float = DEFAULT_ALPHA,
    chosen_here: bool = False,
) -> Comparison:
    """Compare the means over the seeds of each task.

    With one task only, the values of each seed are compared, and the result speaks of that task.

    Args:
        subject: what is compared with what.
        group: the values of the group.
        baseline: the values of the baseline.
        tie: differences of a smaller size count as ties.
        alpha: the level of the test.
        chosen_here: whether the group was chosen by its values on these tasks.

    Raises:
        InvalidValueError: if the two have no task with a common seed.
    """
    pairs = _pairs(subject, group, baseline, least_seeds=1)
    differences = _per_seed(pairs[0]) if len(pairs) == 1 else _per_task(pairs, _mean)
    unit: Unit = "task" if len(pairs) > 1 else "seed"
    found = _comparison(subject, "mean", unit, pairs, differences, tie, alpha)
    return replace(found, chosen_here=chosen_here)


def compare_deviations(
    subject: Subject,
    group: Scores,
    baseline: Scores,
    *,
    tie: float = DEFAULT_TIE,
    alpha: float = DEFAULT_ALPHA,
    chosen_here: bool = False,
) -> Comparison:
    """Compare the sample standard deviations over the seeds of each task.

    Tasks on which the two have fewer than two common seeds are left out. One task gives one
    difference, which no test can judge.

    Args:
        subject: what is compared with what.
        group: the values of the group.
        baseline: the values of the baseline.
        tie: differences of a smaller size count as ties.
        alpha: the level of the test.
        chosen_here: whether the group was chosen by its values on these tasks.

    Raises:
        InvalidValueError: if the two have no task with two common seeds.
    """
    pairs = _pairs(subject, group, baseline, least_seeds=2)
    unit: Unit = "task" if len(pairs) > 1 else "seed"
    differences = _per_task(pairs, _deviation)
    found = _comparison(subject, "deviation", unit, pairs, differences, tie, alpha)
    return replace(found, chosen_here=chosen_here)


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one table, with Holm's correction over all of them.

    Those without a p value are not counted, since no test was made for them.
    """
    values = holm([comparison.p for comparison in comparisons])
    made = max(1, sum(not math.isnan(value) for value in values))
    return [
        replace(comparison, p_holm=value, tests=made)
        for comparison, value in zip(comparisons, values, strict=True)
    ]


def _pairs(subject: Subject, group: Scores, baseline: Scores, least_seeds: int) -> list[PairedTask]:
    pairs = pair(group, baseline, least_seeds)
    if not pairs:
        raise InvalidValueError(
            f"two groups must have a task with {least_seeds} common seed"
            f"{'s' if least_seeds > 1 else ''} to be compared, but {subject.group} and "
            f"{subject.baseline} have none on {subject.dataset}; finish more of their trials first"
        )
    return pairs


def _mean(values: FloatArray) -> float:
    return mean_interval(list(values)).mean


def _deviation(values: FloatArray) -> float:
    return mean_interval(list(values)).deviation


# In both functions the two groups may have the same infinity. Their difference is then NaN.


def _per_seed(task: PairedTask) -> FloatArray:
    with np.errstate(invalid="ignore"):
        return np.asarray(task.group - task.baseline)


def _per_task(pairs: Sequence[PairedTask], number: Callable[[FloatArray], float]) -> FloatArray:
    with np.errstate(invalid="ignore"):
        return np.array([np.subtract(number(p.group), number(p.baseline)) for p in pairs])


def _comparison(
    subject: Subject,
    quantity: Quantity,
    unit: Unit,
    pairs: Sequence[PairedTask],
    differences: FloatArray,
    tie: float,
    alpha: float,
) -> Comparison:
    values = list(differences)
    test = signed_rank(values, tie)
    effect = effect_size(values, tie)
    # A single difference of deviations has no test: it could only be one that assumes normality.
    p = math.nan if quantity == "deviation" and unit == "seed" else test.p
    return Comparison(
        subject=subject,
        quantity=quantity,
        unit=unit,
        tasks=tuple(p.task for p in pairs),
        seeds=tuple(len(p.seeds) for p in pairs),
        difference=mean_interval(values),
        effect=effect,
        higher=test.higher,
        lower=test.lower,
        ties=test.ties,
        direction=test.direction,
        p=p,
        p_holm=p,
        tie=tie,
        alpha=alpha,
    )
