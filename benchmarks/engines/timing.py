"""Times contenders in turns, so that disturbances of the machine affect all of them equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Key = tuple[str, str]  # the name of a contender, and what is timed

BATCH_SECONDS = 0.02  # fast calls are timed in batches of about this length


@dataclass
class Timed:
    """The times of one call.

    Attributes:
        batches: milliseconds for each call, one value for each batch.
    """

    batches: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.batches)

    @property
    def best(self) -> float:
        return min(self.batches)


def interleave(
    calls: dict[Key, Callable[[], object]], *, rounds: int, seconds: float
) -> dict[Key, Timed]:
    """Time all calls in turn.

    Args:
        calls: the functions to time.
        rounds: how many batches of each call are timed, at most.
        seconds: how long each call is timed, at most; then it is left out of further rounds.
    """
    results: dict[Key, Timed] = {}
    sizes: dict[Key, int] = {}
    spent: dict[Key, float] = {}
    for name, call in calls.items():
        # The first call compiles and fills caches, so it is not used, unless it takes so long that
        # there is no time for a second one.
        first = _seconds(call, 1)
        again = _seconds(call, 1) if first < seconds / 2 else first
        sizes[name] = max(1, round(BATCH_SECONDS / again))
        results[name] = Timed([1e3 * again])
        spent[name] = first + again
    for _ in range(rounds):
        for name, call in calls.items():
            if spent[name] < seconds:
                took = _seconds(call, sizes[name])
                spent[name] += took
                results[name].batches.append(1e3 * took / sizes[name])
    return results


def _seconds(call: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - start
