"""What is written to MLflow about a group: its means over seeds, its counts, its mean curve."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
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

#: The tag of a group's run that names its flags, each with the number of trials that have it.
FLAGS_TAG = "qhn.flags"
#: The metrics of a group that count its trials. Each flag has one more, ``flag.NAME``.
SEEDS, PLANNED, FAILED, STOPPED = "seeds", "planned", "failed", "stopped"
#: In a sweep with data seeds: on how many tasks trials have a result. `SEEDS` counts all of these.
TASKS = "tasks"

#: A point of a metric: its name, value, time in milliseconds and step.
Point = tuple[str, float, int, int]


@dataclass(frozen=True)
class Member:
    """What is needed of one trial for the numbers of its group, small enough to keep in memory.

    Attributes:
        row: how the trial ended, without its most probable strings.
        steps: the steps of its reports, shape ``(reports,)``.
        values: the metrics of `SHOWN` at these steps, shape ``(reports, metrics)``. Metrics that a
            trial does not have are NaN.
    """

    row: Row
    steps: NDArray[np.int64]
    values: FloatArray


def member_of(trial: PlannedTrial, record: TrialRecord) -> Member:
    """What is needed of one trial for the numbers of its group.

    Args:
        trial: the trial.
        record: what the store has of it.
    """
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
    """The mean of each metric over trials, at each step at which any of them reported.

    In a sweep with data seeds it is the mean of the tasks' means, as for the final metrics.

    After its last report, a trial that was stopped early counts with the values of that report, as
    it does in the means of the final metrics. If a trial has no value yet at a step, the mean there
    is NaN. A mean over the other trials would jump at the step at which this trial joins.

    Args:
        members: trials with a result, at least one.

    Yields:
        A step, and the mean of each metric by name.
    """
    steps = np.unique(np.concatenate([one.steps for one in members]))
    at_steps = []
    for one in members:
        # The index of the latest report at or before each step. If there is none, the index is -1,
        # which is the row of NaN that is put at the end.
        latest = np.searchsorted(one.steps, steps, side="right") - 1
        padded = np.vstack([one.values, np.full((1, len(SHOWN)), np.nan)])
        at_steps.append(padded[latest])
    by_task: dict[int | None, list[FloatArray]] = defaultdict(list)
    for one, values in zip(members, at_steps, strict=True):
        by_task[one.row.trial.data_seed].append(values)
    means = np.mean([np.mean(of_task, axis=0) for of_task in by_task.values()], axis=0)
    for step, row in zip(steps.tolist(), means.tolist(), strict=True):
        yield step, dict(zip(SHOWN, row, strict=True))


def group_points(rows: Sequence[Row], members: Sequence[Member], with_curve: bool) -> list[Point]:
    """All metrics of a group's run, in the order in which they are sent to MLflow.

    The mean of a final metric has the metric's own name, and is at the last step. Deviation and
    interval are at step 0, because MLflow's page then draws them as bars and not as curves of a
    single point. A value that is not finite, such as the deviation of one seed, is left out,
    because MLflow would sort it among the numbers.

    Args:
        rows: all planned trials of the group.
        members: those of them that have ended.
        with_curve: whether to include the mean curve. MLflow cannot take points back, so it is
            written only once, when all trials have ended.
    """
    finished = [one for one in members if one.row.result is not None]
    results = [row.result for row in rows if row.result is not None]
    # All points have the time at which the last trial ended, so that they are the same if the run
    # is made anew later.
    stamp_ms = max((result.finished_ms for result in results), default=0)
    last = max((result.steps for result in results), default=0)
    found: list[Point] = []

    def add(step: int, values: Iterable[tuple[str, float]]) -> None:
        found.extend((name, x, stamp_ms, step) for name, x in values if math.isfinite(x))

    # The means come first, because MLflow shows metrics in the order in which it got them.
    summaries = summarise(rows)  # empty if no trial has a result
    if with_curve and summaries:
        for step, means in mean_curve(finished):
            # The last step has the final means, which are added below.
            if step < last:
                add(step, means.items())
    for summary in summaries:
        add(last, ((name, interval.mean) for name, interval in summary.intervals.items()))
    counts = {SEEDS: len(results), PLANNED: len(rows)}
    if summaries and (tasks := summaries[0].tasks) is not None:
        counts[TASKS] = tasks
    counts[FAILED] = sum(row.error is not None for row in rows)
    counts[STOPPED] = sum(result.status == "stopped" for result in results)
    counts |= {f"flag.{name}": count for name, count in _flags(rows).items()}
    add(0, ((name, float(count)) for name, count in counts.items()))
    for summary in summaries:
        for name, interval in summary.intervals.items():
            around = {"sd": interval.deviation, "ci_low": interval.low, "ci_high": interval.high}
            if summary.tasks is not None:
                around["sd_of_tasks"] = interval.between
            add(0, ((f"{name}.{part}", value) for part, value in around.items()))
    return found


def group_tags(rows: Iterable[Row]) -> dict[str, str]:
    """The tag with the flags of a group, for the table of runs; empty if there are no flags.

    The metrics ``flag.NAME`` have the same numbers, because MLflow's filters compare numbers only
    in metrics.
    """
    flags = _flags(rows)
    return {FLAGS_TAG: flags_text(flags)} if flags else {}


def _flags(rows: Iterable[Row]) -> dict[str, int]:
    """The number of trials that have each flag."""
    return dict(sorted(Counter(flag for row in rows for flag in row.flags).items()))
