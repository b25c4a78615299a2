"""What MLflow is told of a group: its settings, its means over seeds, and its mean curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.results.statistics import SHOWN, summarise
from qhn.sweeps.results.table import Row, flags_text
from qhn.sweeps.store import TrialRecord

#: Of a group: its flags and the number of trials that have each, in one text.
FLAGS_TAG = "qhn.flags"
#: Metrics of a group that count its trials, beside ``flag.NAME`` for each flag.
SEEDS, PLANNED, FAILED, STOPPED = "seeds", "planned", "failed", "stopped"

#: A point of a metric: its name, value, time in milliseconds and step.
Point = tuple[str, float, int, int]


@dataclass(frozen=True)
class Member:
    """What a group's numbers need of one of its trials, small enough to be kept for each.

    Attributes:
        row: how the trial has ended, without its most probable strings.
        steps: at which it reported, shape ``(reports,)``.
        values: of each metric of `SHOWN`, shape ``(reports, metrics)``; NaN where it has none.
    """

    row: Row
    steps: NDArray[np.int64]
    values: FloatArray


def member_of(trial: PlannedTrial, record: TrialRecord) -> Member:
    """One trial of a group, as the store has it."""
    result = None if record.result is None else replace(record.result, top_strings=())
    error = record.error if result is None else None
    steps, values = _curve(record.history)
    return Member(Row(trial, result, error), steps, values)


def _curve(history: History) -> tuple[NDArray[np.int64], FloatArray]:
    table, columns = history.to_array(), history.columns
    values = np.full((len(table), len(SHOWN)), np.nan)
    for place, name in enumerate(SHOWN):
        if name in columns:
            values[:, place] = table[:, columns.index(name)]
    return table[:, 0].astype(np.int64), values


def mean_curve(members: Sequence[Member]) -> Iterator[tuple[int, dict[str, float]]]:
    """The mean over trials of each metric, at each step at which any of them reported.

    A trial that was stopped early counts with its last values from there on, as it does in the
    means of the final metrics. A mean that would leave a trial out, because the trial has no value
    up to that step, is left out itself: it would jump where the trial joins.

    Args:
        members: those with a result, at least one.
    """
    steps = np.unique(np.concatenate([one.steps for one in members]))
    at_steps = []
    for one in members:
        # The latest report at or before each step; -1, the row of NaN, where there is none.
        latest = np.searchsorted(one.steps, steps, side="right") - 1
        padded = np.vstack([one.values, np.full((1, len(SHOWN)), np.nan)])
        at_steps.append(padded[latest])
    means = np.mean(at_steps, axis=0)
    for step, row in zip(steps.tolist(), means.tolist(), strict=True):
        yield step, dict(zip(SHOWN, row, strict=True))


def group_points(rows: Sequence[Row], members: Sequence[Member], with_curve: bool) -> list[Point]:
    """All metrics of a group's run, in the order in which MLflow gets them.

    Of each final metric the mean has the metric's own name, at the last step; deviation and
    interval are at step 0, so that MLflow's page draws them as bars and not as curves of a single
    point. What is no number, such as the deviation of one seed, is left out: MLflow would sort it
    among the numbers.

    Args:
        rows: of all planned trials of the group.
        members: those of them that have ended.
        with_curve: whether to give the mean curve, which is written once, when all is over.
    """
    finished = [one for one in members if one.row.result is not None]
    results = [row.result for row in rows if row.result is not None]
    # One time for all of them, that of the last end: the same whenever the run is made anew.
    stamp_ms = max((result.finished_ms for result in results), default=0)
    last = max((result.steps for result in results), default=0)
    found: list[Point] = []

    def add(step: int, values: Iterable[tuple[str, float]]) -> None:
        found.extend((name, x, stamp_ms, step) for name, x in values if math.isfinite(x))

    # Means first: MLflow shows metrics in the order in which it got them.
    summaries = summarise(rows)  # none where no trial has a result
    if with_curve and summaries:
        for step, means in mean_curve(finished):
            if step < last:
                add(step, means.items())
    for summary in summaries:
        add(last, ((name, interval.mean) for name, interval in summary.intervals.items()))
    counts = {SEEDS: len(results), PLANNED: len(rows)}
    counts[FAILED] = sum(row.error is not None for row in rows)
    counts[STOPPED] = sum(result.status == "stopped" for result in results)
    counts |= {f"flag.{name}": count for name, count in _flags(rows).items()}
    add(0, ((name, float(count)) for name, count in counts.items()))
    for summary in summaries:
        for name, interval in summary.intervals.items():
            around = {"sd": interval.deviation, "ci_low": interval.low, "ci_high": interval.high}
            add(0, ((f"{name}.{part}", value) for part, value in around.items()))
    return found


def group_tags(rows: Iterable[Row]) -> dict[str, str]:
    """The flags of a group in one cell of the page's table; the metrics are for its filters."""
    flags = _flags(rows)
    return {FLAGS_TAG: flags_text(flags)} if flags else {}


def _flags(rows: Iterable[Row]) -> dict[str, int]:
    """Number of trials by flag."""
    return dict(sorted(Counter(flag for row in rows for flag in row.flags).items()))
