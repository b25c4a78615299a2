"""Lets trials leave machines that are about to go, so that these need not be waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from qhn.sweeps.trial.leaving import draining_machines

#: How often Ray is asked which machines these are. It takes about a millisecond.
LOOK_EVERY_S = 1.0


class Draining:
    """Asks the processes of trials on machines that Ray drains to leave.

    A scheduler that needs a machine has Ray drain it: Ray starts nothing more there, and waits
    until nothing runs there any more. It does not tell the processes there, so that the trials
    would keep the machine to the end of its grace period, and be killed then.

    Args:
        draining: returns the ids of the machines that are being drained.
        ask: asks a process to leave, by what `begins` was told of it.
        tell: is called with these ids at each look, if there are any. It is for processes that know
            by themselves where they run.
        clock: returns the time in seconds, from any beginning.
    """

    def __init__(
        self,
        draining: Callable[[], Collection[str]],
        ask: Callable[[Any], object],
        tell: Callable[[list[str]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._draining = draining
        self._ask = ask
        self._tell = tell
        self._clock = clock
        self._processes: dict[str, Any] = {}
        self._looked_at = clock()

    def begins(self, trial_id: str, process: Any) -> None:
        """Note that a process works on a trial from now on."""
        self._processes[trial_id] = process

    def leaves(self, trial_id: str) -> None:
        """Note that no process works on a trial any more."""
        self._processes.pop(trial_id, None)

    def look(self, machines: Mapping[str, str]) -> None:
        """Look which machines are being drained, if the last look was long enough ago.

        Args:
            machines: the id of the machine on which a trial runs, by trial id.
        """
        now = self._clock()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if not (draining := self._draining()):
            return
        self._tell(sorted(draining))
        for trial_id, machine in machines.items():
            # A process is asked once. It may be a while until it has come to the end of a step.
            if machine in draining and trial_id in self._processes:
                self._ask(self._processes.pop(trial_id))


def never() -> Draining:
    """For a Ray that is never drained, because it belongs to this run."""
    return Draining(tuple, lambda process: None, lambda machines: None)


def draining_ray(tables: Any) -> Draining:
    """For a Ray that is not ours.

    Args:
        tables: the handle of the actor that keeps the loss tables.
    """
    return Draining(draining_machines, lambda process: process.leave.remote(), tables.leave.remote)
