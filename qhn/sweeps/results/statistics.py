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
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialResult

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
    """Final metrics of one group over its seeds, and how many trials carry which flag.

    Attributes:
        group: its label.
        trials: number of trials that are over.
        stopped: those of them that early stopping ended, whose metrics are of their last step.
        intervals: by name of the metric, each of `SHOWN`.
        flags: number of trials by flag.
    """

    group: str
    trials: int
    stopped: int
    intervals: Mapping[str, MeanInterval]
    flags: Mapping[str, int]


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


def summarise(
    trials: Iterable[PlannedTrial], results: Mapping[str, TrialResult]
) -> list[GroupSummary]:
    """One summary per group that has a result, in the order of the plan.

    Args:
        trials: of the plan.
        results: by trial id; a metric that a result lacks reads as NaN.
    """
    by_group: dict[str, list[TrialResult]] = defaultdict(list)
    for trial in trials:
        if trial.trial_id in results:
            by_group[trial.group].append(results[trial.trial_id])
    return [
        GroupSummary(
            group,
            len(members),
            sum(member.status == "stopped" for member in members),
            {
                name: mean_interval([m.metrics.get(name, math.nan) for m in members])
                for name in SHOWN
            },
            # A flag names the step at which it appeared; here only whether it did counts.
            Counter(flag for member in members for flag in member.flags),
        )
        for group, members in by_group.items()
    ]


def summary_csv(groups: Iterable[GroupSummary]) -> str:
    """The summaries as a table: a row per group, four columns per metric."""
    parts = ("mean", "deviation", "low", "high")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "group",
            "trials",
            "stopped",
            "flags",
            *(f"{name}_{part}" for name in SHOWN for part in parts),
        ]
    )
    for group in groups:
        flags = " ".join(f"{name}={count}" for name, count in sorted(group.flags.items()))
        numbers = [
            f"{getattr(group.intervals[name], part):.6g}" for name in SHOWN for part in parts
        ]
        writer.writerow([group.group, group.trials, group.stopped, flags, *numbers])
    return text.getvalue()
