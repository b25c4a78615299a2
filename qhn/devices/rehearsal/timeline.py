"""How busy a provider was: sums over the intervals of its jobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from qhn.core.errors import InvalidValueError


class Timeline:
    """The jobs of a provider as intervals.

    Args:
        jobs: for each job when it was submitted, when it started and when it ended, in seconds.
    """

    def __init__(self, jobs: Iterable[tuple[float, float, float]]) -> None:
        listed = list(jobs)
        self._pending = _changes((submitted, ends) for submitted, _, ends in listed)
        self._working = _changes((starts, ends) for _, starts, ends in listed)

    def pending(self) -> Iterator[tuple[float, int]]:
        """Each moment at which the number of jobs at the provider changes, and the new number."""
        yield from self._pending

    def most_pending(self) -> int:
        """The most jobs that ever were at the provider at once, waiting or executing."""
        return max((count for _, count in self._pending), default=0)

    def idle_share(self, begin: float, end: float) -> float:
        """The share of the time between two moments in which the processor did not work.

        Raises:
            InvalidValueError: if the second moment is not after the first.
        """
        return _share(self._working, lambda count: count == 0, begin, end)

    def share_below(self, jobs: int, begin: float, end: float) -> float:
        """The share of the time between two moments with fewer jobs than this at the provider.

        Raises:
            InvalidValueError: if the second moment is not after the first.
        """
        return _share(self._pending, lambda count: count < jobs, begin, end)


def _changes(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, int]]:
    """Running counts of intervals that are open. Where one ends and one begins, it ends first."""
    changes = sorted(change for begins, ends in intervals for change in ((begins, 1), (ends, -1)))
    counts: list[tuple[float, int]] = []
    count = 0
    for moment, change in changes:
        count += change
        if counts and counts[-1][0] == moment:
            counts[-1] = (moment, count)
        else:
            counts.append((moment, count))
    return counts


def _share(
    counts: list[tuple[float, int]], wanted: Callable[[int], bool], begin: float, end: float
) -> float:
    if not begin < end:
        raise InvalidValueError(f"`begin < end` must hold, but got begin={begin} and end={end}")
    # Nothing was there before the first change, and nothing is after the last.
    steps = [(-math.inf, 0), *counts, (math.inf, 0)]
    total = 0.0
    for (since, count), (until, _) in pairwise(steps):
        if wanted(count):
            total += max(0.0, min(until, end) - max(since, begin))
    return total / (end - begin)
