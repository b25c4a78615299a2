"""Values of two groups, paired by task and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError

#: The values of one metric of one group: by the name of the task, and then by seed.
Scores: TypeAlias = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class PairedTask:
    """What two groups reached on one task with the same seeds.

    Attributes:
        task: the name of the task.
        seeds: the seeds that both groups have.
        group: the values of the group, one for each seed, shape (seeds,).
        baseline: the values of the baseline, shape (seeds,).
    """

    task: str
    seeds: tuple[int, ...]
    group: FloatArray
    baseline: FloatArray


def pair(group: Scores, baseline: Scores, least_seeds: int = 1) -> list[PairedTask]:
    """The tasks that both groups have, with the seeds that both have on them.

    What only one of them has is left out, so that a sweep that is not finished compares like with
    like.

    Args:
        group: the values of the group.
        baseline: the values of the baseline.
        least_seeds: tasks on which they have fewer seeds in common are left out.
    """
    pairs = []
    for task, values in group.items():
        others = baseline.get(task, {})
        seeds = tuple(sorted(values.keys() & others.keys()))
        if len(seeds) >= least_seeds:
            first = np.array([values[seed] for seed in seeds], dtype=np.float64)
            second = np.array([others[seed] for seed in seeds], dtype=np.float64)
            pairs.append(PairedTask(task, seeds, first, second))
    return pairs


def rectangle(groups: Sequence[Scores]) -> tuple[tuple[str, ...], list[FloatArray]]:
    """The values of several groups as arrays over the same tasks, with as many seeds everywhere.

    The tasks are those that all groups have. On each task the seeds that all groups have are
    taken, the smallest first, and as many of them as the task with the fewest has.

    Args:
        groups: the values of each group.

    Returns:
        The names of the tasks, and for each group an array of shape (tasks, seeds).

    Raises:
        InvalidValueError: if the groups have no task with a common seed.
    """
    shared: dict[str, list[int]] = {}
    for task in groups[0] if groups else ():
        seeds = set.intersection(*(set(group.get(task, {})) for group in groups))
        if seeds:
            shared[task] = sorted(seeds)
    if not shared:
        raise InvalidValueError(
            f"the groups must have a task and a seed in common, but the {len(groups)} groups have "
            "none; finish more trials first"
        )
    count = min(map(len, shared.values()))
    arrays = [
        np.array([[group[task][seed] for seed in seeds[:count]] for task, seeds in shared.items()])
        for group in groups
    ]
    return tuple(shared), arrays
