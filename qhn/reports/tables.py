"""The table of a data set: each group's metrics over its seeds and tasks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qhn.core.metrics import ACCURACIES
from qhn.reports.grouping import Group
from qhn.sweeps.results.statistics import MeanInterval, interval_over_tasks, mean_interval
from qhn.sweeps.results.table import Row

#: The metrics of a table, by name, in their order. The last ones are computed for the report.
MMD2_REFERENCE, KALE_REFERENCE, KL_TO_POSTERIOR = (
    "mmd2_reference",
    "kale_reference",
    "kl_to_posterior",
)
TABLE_METRICS = (
    *(metric.name for metric in ACCURACIES if metric.name.startswith("test_")),
    *("nll", "entropy", "kl", "mmd2"),
    *(MMD2_REFERENCE, KALE_REFERENCE, KL_TO_POSTERIOR),
)
#: Further values of trials: by trial id and then by the name of the value.
Computed = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class GroupRow:
    """One group in the table of its data set.

    Attributes:
        label: the name of the group among those of its data set.
        tasks: on how many tasks trials have a result.
        seeds: the smallest and the largest number of trials with a result on a task.
        trials: how many trials have a result.
        planned: how many trials were planned.
        failed: how many have failed.
        metrics: the statistics of each metric of `TABLE_METRICS` that trials have. With one task
            mean and interval are over seeds, and with several over tasks.
        restarts: the metric by which groups are compared, where of all seeds of a task only the
            one with the lowest training loss counts; None with one seed.
        flags: the share of trials that have each flag.
        shots: the shots that were paid for, over all trials; None if no trial says so.
        cost: the money, in the unit of the lane's prices; None if no trial says so.
        training_seconds: the mean time of training of a trial.
    """

    label: str
    tasks: int
    seeds: tuple[int, int]
    trials: int
    planned: int
    failed: int
    metrics: Mapping[str, MeanInterval]
    restarts: MeanInterval | None
    flags: Mapping[str, float] = field(default_factory=dict)
    shots: int | None = None
    cost: float | None = None
    training_seconds: float = math.nan


def group_row(group: Group, metric: str, computed: Computed) -> GroupRow | None:
    """The row of a group; None if none of its trials has a result.

    Args:
        group: the group.
        metric: the metric by which groups are compared, for `GroupRow.restarts`.
        computed: further values of trials.
    """
    by_task: dict[str, list[Row]] = defaultdict(list)
    planned = failed = 0
    flags: Counter[str] = Counter()
    for task, by_seed in group.rows.items():
        for row in by_seed.values():
            planned += 1
            failed += row.error is not None
            flags.update(row.flags.keys())
            if row.result is not None:
                by_task[task].append(row)
    results = [row.result for rows in by_task.values() for row in rows if row.result is not None]
    if not results:
        return None
    found = {}
    for name in TABLE_METRICS:
        interval = _over(by_task, lambda row, name=name: _value(row, name, computed))  # type: ignore[misc]
        if not math.isnan(interval.mean):
            found[name] = interval
    lanes = [result.lane for result in results if result.lane is not None]
    counts = [len(rows) for rows in by_task.values()]
    return GroupRow(
        label=group.label,
        tasks=len(by_task),
        seeds=(min(counts), max(counts)),
        trials=len(results),
        planned=planned,
        failed=failed,
        metrics=found,
        restarts=_best_restarts(by_task, metric) if max(counts) > 1 else None,
        flags={name: count / (len(results) + failed) for name, count in sorted(flags.items())},
        shots=sum(int(str(lane.get("shots", 0))) for lane in lanes) if lanes else None,
        cost=sum(float(str(lane.get("cost", 0.0))) for lane in lanes) if lanes else None,
        training_seconds=math.fsum(r.training_seconds for r in results) / len(results),
    )


def _value(row: Row, name: str, computed: Computed) -> float:
    assert row.result is not None
    extra = computed.get(row.trial.trial_id, {})
    return extra[name] if name in extra else row.result.metric(name)


def _over(by_task: Mapping[str, list[Row]], value: Callable[[Row], float]) -> MeanInterval:
    values = [[value(row) for row in rows] for rows in by_task.values()]
    if len(values) == 1:
        return mean_interval(values[0])
    return interval_over_tasks(dict(enumerate(values)))


def _best_restarts(by_task: Mapping[str, list[Row]], metric: str) -> MeanInterval | None:
    """The metric of the best restart of each task, by training loss (the mean nll of samples).

    It says what a person gets who trains from several starts and keeps the best, without looking
    at test data.
    """
    best = []
    for rows in by_task.values():
        results = [row.result for row in rows if row.result is not None]
        chosen = min(results, key=lambda result: result.metric("nll"))
        best.append(chosen.metric(metric))
    found = mean_interval(best)
    return None if math.isnan(found.mean) else found
