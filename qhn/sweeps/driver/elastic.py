"""Follows a Ray whose machines come and go, so that a sweep uses what there is now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from qhn.sweeps.driver.attached_ray import Cluster
from qhn.sweeps.driver.lane import Lane
from qhn.sweeps.driver.live import Live

#: How often Ray is asked. It takes about a millisecond.
LOOK_EVERY_S = 1.0
#: A function that returns the Ray as it is now, and how many trials of each lane can be alive; None
#: if nothing has changed since its last call.
LiveNow = Callable[[], tuple[Cluster, Live] | None]
_log = logging.getLogger(__name__)


class Resizable(Protocol):
    """Something that knows how many trials of each lane run at once."""

    def resize(self, lanes: Iterable[Lane]) -> None:
        """Take new numbers for these lanes, all of which it knows."""


class Elastic:
    """Tells those who need it how many trials of each lane can run now.

    Trials that run are left alone: if a machine has gone, Ray says so of each of its trials. What
    changes is how many more are handed out. There are always more than can run, so that a Ray which
    hires machines by demand sees that more are wanted.

    Args:
        now: returns the Ray as it is now, see `LiveNow`.
        lanes_of: returns the lanes for these.
        told: who needs to know.
        clock: returns the time in seconds, from any beginning.
    """

    def __init__(
        self,
        now: LiveNow,
        lanes_of: Callable[[Cluster, Live], list[Lane]],
        told: Iterable[Resizable],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._lanes_of = lanes_of
        self._told = list(told)
        self._clock = clock
        self._looked_at = clock()

    def look(self) -> None:
        """Look at Ray, if the last look was long enough ago."""
        now = self._clock()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        found = self._now()
        if found is None:
            return
        lanes = self._lanes_of(*found)
        sizes = ", ".join(f"{lane.name} {lane.slots}" for lane in lanes)
        _log.info("the Ray has changed: %s machines; trials at once: %s", found[0].machines, sizes)
        for one in self._told:
            one.resize(lanes)


def live_now(
    cluster: Cluster,
    look: Callable[[str], Cluster],
    live_of: Callable[[Cluster], Live],
) -> LiveNow:
    """A function that says how many trials can be alive, each time a Ray has changed.

    Args:
        cluster: the Ray as it was at the start of the run.
        look: returns the Ray at an address as it is now.
        live_of: returns how many trials of each lane can be alive there.
    """
    known = cluster

    def now() -> tuple[Cluster, Live] | None:
        nonlocal known
        found = look(cluster.address)
        if found == known:
            return None
        known = found
        return found, live_of(found)

    return now
