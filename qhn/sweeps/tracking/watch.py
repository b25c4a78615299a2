"""Watches the claims of other writers to one sweep, and tells which of the writers are dead."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from qhn.sweeps.tracking.claims import LAPSE_S, Claim


def running_time() -> float:
    """Seconds from any beginning, in which the time counts during which the machine slept."""
    # `time.monotonic` stands still on Linux while a laptop is closed. Its sweep may have another
    # owner when it is opened again.
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def _wall_ms() -> int:
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Clock:
    """The times that a lease needs, and how it waits.

    Attributes:
        seconds: seconds from any beginning, which never go backwards.
        wall_ms: milliseconds since 1970.
        sleep: waits for some seconds.
    """

    seconds: Callable[[], float] = running_time
    wall_ms: Callable[[], int] = _wall_ms
    sleep: Callable[[float], None] = time.sleep


class Watch:
    """What one writer has seen of the claims of all others.

    Args:
        own: tokens of the writer's own claim and of former writers of its store. They are ignored.
        clock: the times.
    """

    def __init__(self, own: Collection[str], clock: Clock) -> None:
        self._own = frozenset(own)
        self._clock = clock
        # Each claim of others as it was read last, and since when it has been the same.
        self._seen: dict[str, tuple[Claim, float]] = {}
        self._alive: set[str] = set()

    def living(self, claims: Mapping[str, Claim]) -> list[Claim]:
        """The claims of others that have not been seen unchanged for `LAPSE_S` seconds.

        Args:
            claims: all claims, as they were read just now.
        """
        now = self._clock.seconds()
        others = {token: claim for token, claim in claims.items() if token not in self._own}
        for token, claim in others.items():
            former, _ = self._seen.get(token, (None, now))
            if former != claim:
                self._seen[token] = (claim, now)
                if former is not None:
                    self._alive.add(token)
        return [c for token, c in others.items() if now - self._seen[token][1] < LAPSE_S]

    def is_alive(self, claim: Claim) -> bool:
        """Whether the writer of a claim is alive: it was seen to act, or did so a moment ago.

        False means that nobody knows, and that its claim has to be watched.
        """
        return claim.token in self._alive or claim.looks_alive(self._clock.wall_ms())
