"""Interleaved timing: contenders take turns, so that noise of the machine meets all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Key = tuple[str, str]  # contender, what it does

BATCH_SECONDS = 0.02  # fast calls are timed in batches at least this long


@dataclass
class Timed:
    """Milliseconds per call, by batch."""

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
    """Time each call in turn, for some rounds; one that has used its ``seconds`` drops out."""
    results: dict[Key, Timed] = {}
    sizes: dict[Key, int] = {}
    spent: dict[Key, float] = {}
    for name, call in calls.items():
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
