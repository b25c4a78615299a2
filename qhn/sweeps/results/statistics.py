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

from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialResult

# What a reader compares first comes first.
SHOWN = (
    "test_accuracy_expected",
    "test_accuracy_mode",
    "test_accuracy_average",
    "test_accuracy_best_of_k",
    "train_accuracy_expected",
    "train_accuracy_mode",
    "train_accuracy_average",
    "train_accuracy_best_of_k",
    "objective",
    "nll",
    "kl",
    "mmd2",
    "entropy",
    "gradient_norm",
)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: sample mean.
        deviation: sample standard deviation (n − 1), NaN for one seed.
        low, high: 95% interval of the mean by Student's t, NaN for one seed.
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
        estimates: by metric name.
        flags: number of trials by flag.
    """

    group: str
    trials: int
    stopped: int
    estimates: Mapping[str, Estimate]
    flags: Mapping[str, int]


@cache
def _quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t, the same for all groups of a size."""
    from scipy import stats

    return float(stats.t.ppf(0.975, degrees))


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, deviation and 95% interval of independent values.

    Example:
        >>> estimate([1.0, 2.0, 3.0]).mean
        2.0
    """
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, math.nan, math.nan, math.nan)
    deviation = float(array.std(ddof=1))
    half = _quantile(len(array) - 1) * deviation / math.sqrt(len(array))
    return Estimate(mean, deviation, mean - half, mean + half)


def summarise(
    trials: Iterable[PlannedTrial], results: Mapping[str, TrialResult]
) -> list[GroupSummary]:
    """One summary per group that has a result, in the order of the plan."""
    by_group: dict[str, list[TrialResult]] = defaultdict(list)
    for trial in trials:
        if trial.trial_id in results:
            by_group[trial.group].append(results[trial.trial_id])
    return [
        GroupSummary(
            group,
            len(members),
            sum(member.status == "stopped" for member in members),
            {name: estimate([member.metrics[name] for member in members]) for name in SHOWN},
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
            f"{getattr(group.estimates[name], part):.6g}" for name in SHOWN for part in parts
        ]
        writer.writerow([group.group, group.trials, group.stopped, flags, *numbers])
    return text.getvalue()
