"""Comparisons of the groups that all data sets of a report have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME
from qhn.reports.aggregates import interquartile_mean, probability_of_improvement
from qhn.reports.grouping import Group
from qhn.reports.options import ReportOptions
from qhn.reports.pairs import rectangle
from qhn.reports.profiles import performance_profile
from qhn.reports.ranks import average_ranks
from qhn.reports.report import AcrossDatasets

#: The resamples do not depend on anything else that is drawn.
_SEED = 0
_RESAMPLES = 500
_THRESHOLDS = 101


def across_datasets(
    datasets: Mapping[str, Sequence[Group]], options: ReportOptions
) -> AcrossDatasets | None:
    """Compare the groups that all data sets have, over all of them.

    Scores are the values of the metric, with a negative sign if less is better, so that more is
    always better. Each task of each data set has the same weight.

    Args:
        datasets: the groups of each data set.
        options: the metric, the baseline and the size of a tie.

    Returns:
        The comparison; None with fewer than two data sets, or if fewer than two groups have common
        trials on all of them.
    """
    common = _common(datasets, options.metric)
    if len(datasets) < 2 or len(common) < 2:
        return None
    sign = 1.0 if BY_NAME[options.metric].better == "up" else -1.0
    parts: list[list[FloatArray]] = []
    for groups in datasets.values():
        by_label = {group.label: group for group in groups}
        try:
            _, scores = rectangle([by_label[label].scores(options.metric) for label in common])
        except InvalidValueError:
            return None
        parts.append([sign * values for values in scores])
    seeds = min(part[0].shape[1] for part in parts)
    stacked = [
        np.concatenate([part[place][:, :seeds] for part in parts]) for place in range(len(common))
    ]
    means = np.array([[values.mean() for values in part] for part in parts])
    baseline = _baseline(datasets, common, options.baseline)
    against = None if baseline is None else stacked[common.index(baseline)]
    low, high = min(s.min() for s in stacked), max(s.max() for s in stacked)
    thresholds = np.linspace(low, high, _THRESHOLDS).tolist()
    return AcrossDatasets(
        labels=tuple(common),
        datasets=tuple(datasets),
        ranks=average_ranks(means, tie=options.tie, alpha=options.alpha),
        middle_means=tuple(interquartile_mean(s, _SEED, _RESAMPLES) for s in stacked),
        improvement=tuple(
            None
            if against is None or label == baseline
            else probability_of_improvement(
                s, against, _SEED, tie=options.tie, resamples=_RESAMPLES
            )
            for label, s in zip(common, stacked, strict=True)
        ),
        baseline=baseline,
        profiles=tuple(performance_profile(s, thresholds, _SEED, _RESAMPLES) for s in stacked),
        runs=(len(stacked[0]), seeds),
    )


def _common(datasets: Mapping[str, Sequence[Group]], metric: str) -> list[str]:
    """The labels of the groups that all data sets have with finite values, in their order."""
    of_each = [
        {group.label for group in groups if _is_finite(group, metric)}
        for groups in datasets.values()
    ]
    first = next(iter(datasets.values()), ())
    return [group.label for group in first if all(group.label in names for names in of_each)]


def _is_finite(group: Group, metric: str) -> bool:
    values = [x for by_seed in group.scores(metric).values() for x in by_seed.values()]
    return bool(values) and bool(np.isfinite(values).all())


def _baseline(
    datasets: Mapping[str, Sequence[Group]], common: Sequence[str], wanted: str | None
) -> str | None:
    if wanted is not None:
        return wanted if wanted in common else None
    plain = [
        group.label
        for group in next(iter(datasets.values()))
        if group.objective == "mle" and group.label in common
    ]
    # With mle on several circuits there is no one baseline.
    return plain[0] if len(plain) == 1 else None
