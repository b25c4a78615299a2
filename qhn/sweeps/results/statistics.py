"""Statistics over seeds: mean, deviation and 95% interval of each group's final metrics."""

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
from qhn.sweeps.config.settings import settings
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.results.table import Row, flags_text

# λ is a setting that a metric repeats: its mean over seeds says nothing.
_NOT_SHOWN = {"lambda"}


def _shown() -> tuple[str, ...]:
    """Names of all metrics but λ: accuracies first, and of these the ones on test data."""
    accuracies = sorted(ACCURACIES, key=lambda metric: not metric.name.startswith("test_"))
    others = [metric for metric in METRICS if metric not in ACCURACIES]
    names = [metric.name for metric in (*accuracies, *others)]
    return tuple(name for name in names if name not in _NOT_SHOWN)


#: The metrics of a summary, what a reader compares first at the front.
SHOWN = _shown()


@dataclass(frozen=True)
class MeanInterval:
    """A mean of independent values, and how far to trust it.

    Attributes:
        mean: sample mean.
        deviation: sample standard deviation (n − 1), NaN for one value.
        low, high: 95% interval of the mean by Student's t with n − 1 degrees of freedom, NaN for
            one value.
    """

    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupSummary:
    """Final metrics of one group over its seeds, and how its trials have ended.

    Attributes:
        group: its label.
        group_id: the digest of what its trials share.
        config: of one of its trials; all but the seed holds for each of them.
        planned: number of its trials in the plan.
        trials: number of trials with a result: finished, or stopped early.
        stopped: those of them that early stopping ended, whose metrics are of their last step.
        failed: number of trials that failed, which have no metrics.
        intervals: by name of the metric, each of `SHOWN`.
        flags: number of trials by flag, failed ones included.
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

    @property
    def is_over(self) -> bool:
        """Whether each planned trial has ended, well or not."""
        return self.trials + self.failed == self.planned


@cache
def _quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t, the same for all groups of a size."""
    from scipy import stats

    return float(stats.t.ppf(0.975, degrees))


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Mean, deviation and 95% interval of independent values.

    With sample deviation s the interval is mean ± t(0.975, n − 1) · s / sqrt(n). A value that is
    NaN makes all four NaN: a mean over the seeds that happen to have a number would flatter.

    Args:
        values: at least one.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0]).mean
        2.0
    """
    array = np.asarray(values, dtype=np.float64)
    # Infinities are told by a mean that is no number; a warning would add nothing.
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(array.mean())
        if len(array) < 2:
            return MeanInterval(mean, math.nan, math.nan, math.nan)
        deviation = float(array.std(ddof=1))
    half = _quantile(len(array) - 1) * deviation / math.sqrt(len(array))
    return MeanInterval(mean, deviation, mean - half, mean + half)


def summarise(rows: Iterable[Row]) -> list[GroupSummary]:
    """One summary for each group that has a result, in the order of the rows.

    Args:
        rows: of a sweep, all its planned trials among them; a metric that a result lacks reads as
            NaN.
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
        intervals={name: mean_interval([r.metric(name) for r in results]) for name in SHOWN},
        # A flag names the step at which it appeared; here only whether it did counts.
        flags=Counter(flag for member in members for flag in member.flags),
    )


def summary_csv(groups: Iterable[GroupSummary]) -> str:
    """The summaries as a table: a row for each group, its settings, four columns per metric.

    The columns of settings have the names of MLflow's parameters.
    """
    parts = ("mean", "deviation", "low", "high")
    found = []
    for group in groups:
        named = settings(group.config)
        del named["seed"]
        found.append((group, named))
    names = sorted({name for _, named in found for name in named})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counts = ("planned", "trials", "stopped", "failed", "flags")
    metrics = [f"{name}_{part}" for name in SHOWN for part in parts]
    writer.writerow(["group", "group_id", *names, *counts, *metrics])
    for group, named in found:
        ends = (group.planned, group.trials, group.stopped, group.failed, flags_text(group.flags))
        numbers = [
            f"{getattr(group.intervals[name], part):.6g}" for name in SHOWN for part in parts
        ]
        values = [named.get(name, "") for name in names]
        writer.writerow([group.group, group.group_id, *values, *ends, *numbers])
    return text.getvalue()
