"""Chooses and draws the figures of a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.evaluation.predictive import predictive_probability
from qhn.core.metrics import METRICS
from qhn.reports.figures.accuracy import draw_accuracy
from qhn.reports.figures.curves import GroupCurve, draw_curves
from qhn.reports.figures.differences import draw_differences
from qhn.reports.figures.heat import draw_heat
from qhn.reports.figures.marginals import draw_images, draw_marginals
from qhn.reports.figures.profiles import draw_profiles
from qhn.reports.figures.regions import draw_regions
from qhn.reports.figures.reliability import Predictions, draw_reliability
from qhn.reports.figures.style import Drawn, Gallery
from qhn.reports.grouping import Group
from qhn.reports.report import DatasetReport, Report
from qhn.sweeps.config import factory
from qhn.sweeps.results.posteriors import Posteriors
from qhn.sweeps.results.table import Row
from qhn.sweeps.store import Store, read_record

#: The metrics along training, as far as trials have them.
_ALONG = ("test_accuracy_expected", "nll", "entropy", "kl", "mmd2", "kale", "lambda")
#: So many trials of a group are read for its curves, and so many groups are drawn in one figure.
_MOST_TRIALS, _MOST_LINES = 40, 12
_OF_POSTERIORS = "needs trials whose distribution is known, on at most 16 inputs"
# So many trials of a group make its reliability curve.
_MOST_PREDICTING = 10


class _Kind(Enum):
    """A kind of figure: what it is called, and what it needs."""

    DIFFERENCES = "differences from the baseline", "needs groups with a baseline"
    ACCURACY = "accuracies", "needs a trial with a result"
    CURVES = "curves along training", "needs trials whose checkpoints are in the store"
    HEAT = "map over λ and h", "needs several values of both of one objective"
    MARGINALS = "marginals of the weights", _OF_POSTERIORS
    IMAGES = "weights as images", _OF_POSTERIORS
    REGIONS = "decision regions", f"{_OF_POSTERIORS}, and points with two coordinates"
    RELIABILITY = "reliability", _OF_POSTERIORS

    def __init__(self, title: str, needs: str) -> None:
        self.title = title
        self.needs = needs


#: A kind of figure, and one of it; None where what it needs is not there.
_Maybe: TypeAlias = tuple[_Kind, Drawn | None]


def draw_all(report: Report, store: Store) -> Gallery:
    """All figures for which there is data.

    Args:
        report: the content of the report.
        store: where the trials are kept.

    Raises:
        StoreError: if the store cannot be read.
    """
    posteriors = Posteriors(store)
    found: list[Drawn] = []
    absent: dict[str, tuple[str, ...]] = {}
    for dataset in report.datasets:
        drawn = list(_of_dataset(dataset, report.metric, store, posteriors))
        found += [replace(one, section=dataset.name) for _, one in drawn if one is not None]
        # What one family of groups has is not told for another one.
        there = {kind for kind, one in drawn if one is not None}
        missing = dict.fromkeys(kind for kind, one in drawn if kind not in there)
        absent[dataset.name] = tuple(f"{kind.title} ({kind.needs})" for kind in missing)
    if report.across is not None:
        found.append(draw_profiles(report.across, report.metric))
    return Gallery(tuple(found), absent)


def _of_dataset(
    dataset: DatasetReport, metric: str, store: Store, posteriors: Posteriors
) -> Iterator[_Maybe]:
    name = dataset.name
    groups = [group for group in dataset.groups if group.scores(metric)]
    yield _Kind.DIFFERENCES, draw_differences(name, dataset.comparisons)
    yield _Kind.ACCURACY, draw_accuracy(name, groups, metric)
    for of_rest, members in _families(groups):
        # What all members have in common is in the caption and need not be in each label.
        short = [replace(group, label=_without(group.label, of_rest)) for group in members]
        family = " ".join([name, *of_rest])
        yield _Kind.CURVES, _curves(family, short, store)
        for rest, same in _alike(short).items():
            yield _Kind.HEAT, draw_heat(" ".join([family, *rest]), same, metric)
        yield from _posterior_figures(family, short, posteriors)


def _families(groups: Sequence[Group]) -> list[tuple[tuple[str, ...], list[Group]]]:
    """Groups that share all settings but those of the objective, with what tells families apart.

    Controls have no circuit to share, and those for the same networks are a family of their own.
    """
    found: dict[object, list[Group]] = defaultdict(list)
    controls: dict[object, list[Group]] = defaultdict(list)
    for group in groups:
        if group.is_control:
            controls[group.network].append(group)
        else:
            found[group.without_objective].append(group)
    return [*_named(list(found.values())), *_named(list(controls.values()), "controls")]


def _alike(groups: Sequence[Group]) -> dict[tuple[str, ...], list[Group]]:
    """Groups with a bandwidth that differ in λ and h alone, by what tells them from the others."""
    found: dict[tuple[str, int | None, float | None], list[Group]] = defaultdict(list)
    for group in groups:
        part = group.first.config.objective
        if part.bandwidth is not None:
            found[group.objective, part.prior_samples, part.regularisation].append(group)
    if len(found) <= 1:
        # Without any there is one attempt, so that the report says what is missing.
        return {(): [group for members in found.values() for group in members]}
    return {
        (
            objective,
            *(() if samples is None else (f"prior={samples}",)),
            *(() if alpha is None else (f"alpha={alpha:g}",)),
        ): members
        for (objective, samples, alpha), members in found.items()
    }


def _named(families: list[list[Group]], *name: str) -> list[tuple[tuple[str, ...], list[Group]]]:
    """Families with the words that all labels of one of them share, if there are several."""
    if len(families) == 1:
        return [(name, families[0])]
    words = [set.intersection(*(set(g.label.split()) for g in members)) for members in families]
    named = [
        (*name, *(w for w in members[0].label.split() if w in common))
        for common, members in zip(words, families, strict=True)
    ]
    # Files are named so, and no two figures may have one name.
    unique = [n if named.count(n) == 1 else (*n, str(i + 1)) for i, n in enumerate(named)]
    return list(zip(unique, families, strict=True))


def _without(label: str, words: Iterable[str]) -> str:
    return " ".join(word for word in label.split() if word not in set(words)) or label


def _curves(name: str, groups: Sequence[Group], store: Store) -> Drawn | None:
    curves, stopped = [], False
    for group in groups[:_MOST_LINES]:
        rows = [row for row in _rows(group) if row.result is not None][:_MOST_TRIALS]
        histories = []
        for row in rows:
            stop = row.result if row.status == "stopped" else None
            histories.append(read_record(store, row.trial.trial_id, stop=stop).history)
        # One whose checkpoint was lost has its last report alone.
        histories = [history for history in histories if len(history) > 1]
        if not histories:
            continue
        steps = sorted(set().union(*(history.steps for history in histories)))
        values: dict[str, FloatArray] = {}
        for metric in _ALONG:
            of_trials = [
                _at(history.to_array(), history.columns, metric, steps) for history in histories
            ]
            values[metric] = np.array(of_trials)
        stopped = stopped or any(row.status == "stopped" for row in rows)
        curves.append(GroupCurve(group.label, np.array(steps, dtype=np.int64), values))
    most = max((len(list(_rows(group))) for group in groups), default=0)
    note = f"At most {_MOST_TRIALS} trials of a group are read. " if most > _MOST_TRIALS else ""
    if len(groups) > _MOST_LINES:
        note += f"The first {_MOST_LINES} groups are shown. "
    if stopped:
        note += "After its end, a trial that was stopped early counts with its last report."
    known = {metric.name for metric in METRICS}
    return draw_curves(name, curves, [m for m in _ALONG if m in known and m != "lambda"], note)


def _at(table: FloatArray, columns: Sequence[str], metric: str, steps: Sequence[int]) -> FloatArray:
    """The values of a metric at some steps, NaN if the history does not have the metric.

    Between two reports and after the last one it is that of the latest report, as in the mean curve
    of a group in MLflow. Before the first one it is NaN.
    """
    if metric not in columns:
        return np.full(len(steps), np.nan)
    latest = np.searchsorted(table[:, 0], steps, side="right") - 1
    column = np.append(table[:, list(columns).index(metric)], np.nan)
    return np.asarray(column[latest])


def _rows(group: Group) -> Iterator[Row]:
    """The trials of a group, all tasks with their first seed first."""
    by_task = [list(by_seed.values()) for by_seed in group.rows.values()]
    for place in range(max(map(len, by_task), default=0)):
        for rows in by_task:
            if place < len(rows):
                yield rows[place]


def _posterior_figures(
    name: str, groups: Sequence[Group], posteriors: Posteriors
) -> Iterator[_Maybe]:
    of_posteriors = (_Kind.MARGINALS, _Kind.REGIONS, _Kind.RELIABILITY)
    task = next(iter(groups[0].rows), None)
    if task is None:
        return
    # The circuit without noise is no picture of a trial that samples or has noise.
    groups = [g for g in groups if g.first.config.device.capabilities.tells_probabilities]
    if not groups:
        yield from ((kind, None) for kind in of_posteriors)
        return
    found: list[tuple[str, FloatArray]] = []
    for group in groups[:_MOST_LINES]:
        row = next(iter(group.rows.get(task, {}).values()), None)
        q = None if row is None else posteriors.of(row)
        if q is not None:
            found.append((group.label, q.copy()))
    config = groups[0].first.config
    if not found or config.dataset.n_inputs > 16:
        yield from ((kind, None) for kind in of_posteriors)
        return
    which = f"{task}, first seed"
    network = factory.network(config.network, config.dataset.n_inputs)
    first = next(iter(groups[0].rows[task].values())).trial.config
    data = factory.dataset(first.dataset)
    yield _Kind.MARGINALS, draw_marginals(name, found, which)
    if config.network.kind == "logistic" and config.dataset.name == "digits":
        yield _Kind.IMAGES, draw_images(name, found, which)
    yield _Kind.REGIONS, draw_regions(name, data, network, found, which)
    predictions = []
    for group in groups[:_MOST_LINES]:
        rows = list(group.rows.get(task, {}).values())[:_MOST_PREDICTING]
        if (one := _predictions(group.label, rows, posteriors)) is not None:
            predictions.append(one)
    yield (
        _Kind.RELIABILITY,
        draw_reliability(name, predictions, f"{task}, at most {_MOST_PREDICTING} seeds"),
    )


def _predictions(label: str, rows: Iterable[Row], posteriors: Posteriors) -> Predictions | None:
    probabilities, labels = [], []
    for row in rows:
        q = posteriors.of(row)
        if q is None:
            continue
        config = row.trial.config
        data = factory.dataset(config.dataset)
        network = factory.network(config.network, config.dataset.n_inputs)
        probabilities.append(predictive_probability(network, q, data.x_test))
        labels.append(data.y_test)
    if not probabilities:
        return None
    return Predictions(label, np.concatenate(probabilities), np.concatenate(labels))
