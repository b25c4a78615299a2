"""A process in which hundreds of sleeping trials live, in place of a process for each."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ray

from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store
from standin.sleeping import Material, SleepingTrial

#: How long a process takes to start, in seconds. Other machines start theirs at the same time.
START_S = 3.0


@ray.remote(num_cpus=0)
class Host:
    """Its methods are called for slots, as those of Tune's actors are called by the driver.

    Args:
        store: the address of the store.
        trial: the configuration, as JSON text, of the trial that the others resemble.
        seconds: how long a trial takes.
    """

    def __init__(self, store: str, trial: str, seconds: float) -> None:
        SleepingTrial.material = Material.of(TrialConfig.from_json(trial))
        SleepingTrial.store = open_store(store)
        SleepingTrial.seconds = seconds
        self._slots: dict[int, SleepingTrial] = {}
        self._sleeps: list[tuple[float, float]] = []
        self._asked: list[float] = []
        self._began: list[float] = []

    async def start(self, slot: int, arguments: dict[str, Any]) -> None:
        """Begin a slot with its first trial."""
        self._asked.append(time.time())
        await asyncio.sleep(START_S)
        self._slots[slot] = SleepingTrial(**arguments)
        self._began.append(time.time())

    async def train(self, slot: int) -> dict[str, Any]:
        """Sleep for a piece of work, and answer."""
        trial = self._slots[slot]
        begin, pause = time.time(), trial.pause
        # Not the time until it wakes: a host that is late does not make trials longer.
        self._sleeps.append((begin, begin + pause))
        await asyncio.sleep(pause)
        return dict(trial.train())

    async def get_auto_filled_metrics(self, slot: int, **options: Any) -> dict[str, Any]:
        """What Tune asks each actor for when it has started."""
        return dict(self._slots[slot].get_auto_filled_metrics(**options))

    async def reset(self, slot: int, config: dict[str, Any], storage: Any) -> bool:
        """Take the next trial."""
        return bool(self._slots[slot].reset(config, storage=storage))

    async def stop(self, slot: int) -> None:
        """End a slot."""
        self._slots.pop(slot, None)

    async def starts(self) -> tuple[int, float, float]:
        """How many slots have begun, when the first was asked for, and when the last one began."""
        return len(self._began), min(self._asked, default=0.0), max(self._began, default=0.0)

    async def busy(self, begin: float, end: float) -> tuple[float, int]:
        """The seconds in which slots were at work between two times, and how often they began."""
        spans = [(max(begin, start), min(end, stop)) for start, stop in self._sleeps]
        seconds = sum(max(0.0, stop - start) for start, stop in spans)
        return seconds, sum(1 for start, _ in self._sleeps if begin <= start < end)
