"""Statistics of groups over seeds and tasks: mean, deviation and 95% interval of each metric."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qhn.core.metrics import ACCURACIES, METRICS
from qhn.sweeps.config.settings import Setting, of_group
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.results.table import Row, flags_text
from qhn.sweeps.store import TrialResult

# λ is reported as a metric because it changes during training. At the end it only repeats a
# setting, and all seeds of a group have the same value.
_NOT_SHOWN = {"lambda"}


def _shown() -> tuple[str, ...]:
    """The names of all metrics but λ: test accuracies, training accuracies, and then the others."""
    accuracies = sorted(ACCURACIES, key=lambda metric: not metric.name.startswith("test_"))
    others = [metric for metric in METRICS if metric not in ACCURACIES]
    names = [metric.name for metric in (*accuracies, *others)]
    return tuple(name for name in names if name not in _NOT_SHOWN)


#: The names of the metrics in a summary of a group. Those that people compare first come first.
SHOWN = _shown()


@dataclass(frozen=True)
class MeanInterval:
    """The mean of n independent values, with its uncertainty.

    Attributes:
        mean: the sample mean. Over several tasks it is the mean of the tasks' means.
        deviation: the sample standard deviation (with n − 1); NaN for a single value. Over several
            tasks it is that over the seeds of a task, pooled over the tasks.
        low: the lower end of the 95% confidence interval of the mean, by Student's t distribution
            with n − 1 degrees of freedom; NaN for a single value. Over several tasks, n is the
            number of tasks.
        high: the upper end of that interval; NaN for a single value.
        between: the sample standard deviation of the tasks' means; NaN for a single task, and for
            values that are not divided into tasks.
    """

    mean: float
    deviation: float
    low: float
    high: float
    between: float = math.nan


@dataclass(frozen=True)
class GroupSummary:
    """The final metrics of one group over its seeds and tasks, and how its trials ended.

    Attributes:
        group: the label of the group.
        group_id: a digest of the settings that its trials share.
        config: the configuration of one of its trials. All trials have the same one except for the
            seed, and in a sweep with data seeds for that of the data.
        planned: how many trials the plan has in this group.
        trials: how many of them have a result: they are finished, or were stopped early.
        stopped: how many of these were stopped early. Their metrics are those of their last report.
        failed: how many trials failed. They have no metrics.
        intervals: the statistics of each metric of `SHOWN`, by its name.
        flags: how many trials have each flag. Failed trials count as well.
        tasks: on how many tasks a trial has a result, if the sweep has data seeds; else None.
    """

    group: str
    group_id: str
    config: TrialConfig
    planned: int
    trials: int
    stopped: int
    failed: int
    intervals: Mapping[str, MeanInterval]
    flags: Mapping[str, int]
    tasks: int | None = None

    @property
    def settings(self) -> dict[str, Setting]:
        """The settings that its trials share, by the names of MLflow's parameters."""
        return of_group(self.config, self.tasks is not None)

    @property
    def is_over(self) -> bool:
        """Whether each planned trial has a result or has failed."""
        return self.trials + self.failed == self.planned


@cache
def _quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t distribution.

    It is cached because most groups of a sweep have the same number of seeds.
    """
    # `scipy.stats` calls the same function, but takes most of a second to import, at the end of
    # every sweep.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Mean, deviation and 95% interval of independent values.

    With the sample deviation s, the interval is mean ± t(0.975, n − 1) · s / sqrt(n). If one of the
    values is NaN, all four numbers are NaN. A mean over only the seeds that have a number would
    look better than it is.

    Args:
        values: at least one value.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0]).mean
        2.0
    """
    array = np.asarray(values, dtype=np.float64)
    # With infinite values NumPy would warn. The mean, which is then not finite, says it already.
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(array.mean())
        if len(array) < 2:
            return MeanInterval(mean, math.nan, math.nan, math.nan)
        deviation = float(array.std(ddof=1))
    half = _quantile(len(array) - 1) * deviation / math.sqrt(len(array))
    return MeanInterval(mean, deviation, mean - half, mean + half)


def interval_over_tasks(values: Mapping[int, Sequence[float]]) -> MeanInterval:
    """Mean, deviations and 95% interval of values on several tasks.

    Values on the same task are not independent of each other: all of them depend on the same data.
    So the tasks are the sample, each with the mean of its values, and the interval is that of these
    means. With T tasks, n_t values on task t and their mean m_t, the deviation over seeds is

        sqrt( Σ_t Σ_i (x_ti − m_t)² / Σ_t (n_t − 1) ).

    Args:
        values: at least one value of each task, by its data seed.

    Example:
        >>> interval_over_tasks({0: [1.0, 3.0], 1: [4.0]}).mean
        3.0
    """
    tasks = [mean_interval(of_task) for of_task in values.values()]
    means = mean_interval([task.mean for task in tasks])
    degrees = np.array([len(of_task) - 1 for of_task in values.values()])
    squares = [n * task.deviation**2 for n, task in zip(degrees, tasks, strict=True) if n]
    pooled = math.sqrt(sum(squares) / degrees.sum()) if squares else math.nan
    return MeanInterval(means.mean, pooled, means.low, means.high, means.deviation)


def summarise(rows: Iterable[Row]) -> list[GroupSummary]:
    """A summary of each group in which at least one trial has a result, in the order of the rows.

    Args:
        rows: the rows of all planned trials of a sweep. A metric that a result does not have counts
            as NaN.
    """
    by_group: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_group[row.trial.group_id].append(row)
    return [
        _summary(members)
        for members in by_group.values()
        if any(member.result is not None for member in members)
    ]


def _summary(members: Sequence[Row]) -> GroupSummary:
    trial = members[0].trial
    results = [member.result for member in members if member.result is not None]
    return GroupSummary(
        group=trial.group,
        group_id=trial.group_id,
        config=trial.config,
        planned=len(members),
        trials=len(results),
        stopped=sum(result.status == "stopped" for result in results),
        failed=sum(member.error is not None for member in members),
        intervals={name: _interval(members, name) for name in SHOWN},
        # For each trial a flag has the step at which it appeared. Here trials are counted.
        flags=Counter(flag for member in members for flag in member.flags),
        tasks=None if trial.data_seed is None else len(_by_task(members)),
    )


def _by_task(members: Iterable[Row]) -> dict[int, list[TrialResult]]:
    """The results on each task, by its data seed."""
    found: dict[int, list[TrialResult]] = defaultdict(list)
    for member in members:
        if member.result is not None:
            found[member.trial.config.dataset.seed].append(member.result)
    return found


def _interval(members: Sequence[Row], name: str) -> MeanInterval:
    by_task = _by_task(members)
    if members[0].trial.data_seed is None:
        return mean_interval([r.metric(name) for of_task in by_task.values() for r in of_task])
    return interval_over_tasks({t: [r.metric(name) for r in of] for t, of in by_task.items()})


def parts_of(over_tasks: bool) -> tuple[str, ...]:
    """The numbers of a `MeanInterval` that tables give for each metric."""
    parts = ("mean", "deviation", "low", "high")
    return (*parts, "between") if over_tasks else parts


def summary_csv(groups: Iterable[GroupSummary]) -> str:
    """The summaries as CSV text with a header line and a row for each group.

    The columns are ``group``, ``group_id``, the settings under the names of MLflow's parameters,
    ``planned``, ``trials``, ``stopped``, ``failed``, ``flags``, and for each metric, ``nll`` for
    example, ``nll_mean``, ``nll_deviation``, ``nll_low`` and ``nll_high`` (see `MeanInterval`). A
    sweep with data seeds also has ``tasks``, before ``planned``, and ``nll_between``.
    """
    found = [(group, group.settings) for group in groups]
    over_tasks = any(group.tasks is not None for group, _ in found)
    parts = parts_of(over_tasks)
    names = sorted({name for _, named in found for name in named})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counts: tuple[str, ...] = ("planned", "trials", "stopped", "failed", "flags")
    counts = ("tasks", *counts) if over_tasks else counts
    metrics = [f"{name}_{part}" for name in SHOWN for part in parts]
    writer.writerow(["group", "group_id", *names, *counts, *metrics])
    for group, named in found:
        ends = (group.planned, group.trials, group.stopped, group.failed, flags_text(group.flags))
        tasks = (group.tasks,) if over_tasks else ()
        numbers = [
            f"{getattr(group.intervals[name], part):.6g}" for name in SHOWN for part in parts
        ]
        values = [named.get(name, "") for name in names]
        writer.writerow([group.group, group.group_id, *values, *tasks, *ends, *numbers])
    return text.getvalue()
