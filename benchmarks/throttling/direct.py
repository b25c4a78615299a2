"""A sampler without a lane: it submits when it wants to, and waits for its job."""

from __future__ import annotations

import time
from typing import Any

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.queued import Part, Provider, QueuedHandle
from qhn.sweeps.trial.lane_pace import Pace
from qhn.sweeps.trial.lane_use import LaneUse


class DirectSampler:
    """What a `qhn.sweeps.trial.session.TrialSession` needs of a sampler, without any broker.

    Args:
        handle: the open device.
        provider: what is to be expected of it.
        trial: the id of the trial.
    """

    def __init__(self, handle: QueuedHandle, provider: Provider, trial: str) -> None:
        self.use = LaneUse()
        self.notes: list[str] = []
        self.waited_s = 0.0
        self._handle = handle
        self._provider = provider
        self._trial = trial

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """Submit a job and wait for its samples."""
        part = Part(self._handle.ansatz, sets, shots, key)
        pace = Pace.of(self._provider, part.executions, key.seed)
        job = self._handle.submit(f"plain-{self._trial}-{key.step}", [part])
        begin = queued_at = time.monotonic()
        while not (report := self._handle.look(job)).is_over:
            now = time.monotonic()
            if report.phase == "running":
                time.sleep(pace.while_running(now - queued_at))
            else:
                time.sleep(pace.while_queued(now - begin))
                queued_at = now
        self.waited_s += time.monotonic() - begin
        return self._handle.fetch(job)[0]

    def content(self) -> dict[str, Any]:
        """Nothing is reported."""
        return self.use.content()
