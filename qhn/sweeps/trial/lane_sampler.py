"""The sampler of a trial on a queued device: it takes its turn in the lane for every step."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.errors import DamagedError
from qhn.core.estimators.sampler import SampleKey, StillWaiting
from qhn.devices.queued import Part, Provider, QueuedHandle
from qhn.lanes.desk import Desk, holder_of
from qhn.lanes.ticket import Ticket
from qhn.sweeps.store import Store
from qhn.sweeps.store.lane_place import store_id
from qhn.sweeps.store.samples import read_samples, save_samples
from qhn.sweeps.trial.lane_course import Course, Travel
from qhn.sweeps.trial.lane_pace import Pace
from qhn.sweeps.trial.lane_step import Step
from qhn.sweeps.trial.lane_use import LaneUse, Whereabouts

#: The seconds after which a call comes back with `StillWaiting`.
PATIENCE_S = 1.0


class LaneSampler:
    """A `qhn.core.estimators.sampler.Sampler` for a device with a queue.

    `sample` waits for about a second. If the samples take longer, it raises `StillWaiting`, and the
    next call with the same key goes on where it was. A process that starts again goes on as well,
    since the ledger says what was submitted.

    Args:
        handle: the open device. The caller closes it.
        desk: the broker of the device's queue.
        ticket: the lane of the trial.
        provider: what is to be expected of the provider.
        store: where the trial is kept.
        trial: the id of the trial.
        backend: the device, as people read it.
        seed: the seed of the trial, for the spread of pauses.
        clock: gives the time in seconds, from any beginning.
        sleep: waits for some seconds.
        patience_s: seconds after which `sample` comes back.

    Attributes:
        use: the account of the trial. A session replaces it by that of the checkpoint.
        notes: lines for people, which the session takes away.
        where: where the trial is.
        note: why it waits, if there is more to say.
        waited_s: seconds that were spent in `sample`, in all.
    """

    def __init__(
        self,
        handle: QueuedHandle,
        desk: Desk,
        ticket: Ticket,
        provider: Provider,
        store: Store,
        *,
        trial: str,
        backend: str,
        seed: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.notes: list[str] = []
        self.where: Whereabouts = "computing"
        self.note = ""
        self.waited_s = 0.0
        self._store = store
        self._provider = provider
        self._seed = seed
        self._clock = clock
        self._sleep = sleep
        self._patience_s = patience_s
        # A device that draws the same samples again needs no record of them.
        self._keeps = not handle.capabilities.reproducible
        self._travel = Travel(
            handle=handle,
            desk=desk,
            ticket=ticket,
            store_id=store_id(store.backend),
            trial=trial,
            # A process that has the same number as an earlier one must not be taken for it.
            holder=holder_of(trial, f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"),
            clock=clock,
            pace=Pace.of(provider, 1, seed),
            use=LaneUse(backend=backend),
            notes=self.notes,
        )
        self._course: tuple[SampleKey, int, Course[IntArray]] | None = None
        self._due = self._deadline = clock()

    @property
    def use(self) -> LaneUse:
        """The account of the trial."""
        return self._travel.use

    @use.setter
    def use(self, use: LaneUse) -> None:
        use.backend = self._travel.use.backend
        self._travel.use = use

    @property
    def submitted(self) -> tuple[str, str] | None:
        """The last job that was submitted here and that the broker has not heard of.

        These are its submission id and the provider's id. A sampler that takes this one's place
        must get them: some providers give no way to find a job again.
        """
        return self._travel.submitted

    @submitted.setter
    def submitted(self, job: tuple[str, str] | None) -> None:
        self._travel.submitted = job

    @property
    def holder(self) -> str:
        """The name under which this process asks for leases."""
        return self._travel.holder

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """See `Sampler`.

        Raises:
            StillWaiting: if the samples are not there yet.
            BudgetSpentError: if the budget has no room for the job.
            LaneError: if the provider refuses the job for good.
            StoreError: if the store or a ledger cannot be used.
        """
        course = self._course_of(Part(self._travel.handle.ansatz, sets, shots, key))
        begin = self._clock()
        self._deadline = begin + self._patience_s
        try:
            while True:
                self._rest()
                pause = next(course)
                self.where, self.note = pause.where, pause.note
                self._due = self._clock() + pause.seconds
        except StopIteration as end:
            self._course = None
            self.where, self.note = "computing", ""
            samples: IntArray = end.value
            return samples
        except StillWaiting:
            raise
        except BaseException:
            # The next call asks the broker how things are.
            self._course = None
            raise
        finally:
            self.waited_s += self._clock() - begin

    def close(self) -> None:
        """Tell the broker that this trial asks for nothing more. A job in flight goes on."""
        self._course = None
        self._travel.desk.gone(self._travel.holder)

    def content(self) -> dict[str, Any]:
        """The trial's account and where it is, for an `Answer`."""
        return self.use.content(self.where, self.note)

    def _rest(self) -> None:
        """Sleep until there is something to do, or until the caller must hear of us.

        Raises:
            StillWaiting: in the second case.
        """
        now = self._clock()
        if self._due > now:
            self._sleep(max(0.0, min(self._due, self._deadline) - now))
            slept, now = self._clock() - now, self._clock()
            if self.where == "waiting for lease":
                self.use.waiting_s += slept
        if now >= self._deadline:
            raise StillWaiting(f"{self.where}: {self.note}" if self.note else self.where)

    def _course_of(self, part: Part) -> Course[IntArray]:
        if self._course is not None:
            key, executions, course = self._course
            if (key, executions) == (part.key, part.executions):
                return course
        self._travel.pace = Pace.of(self._provider, part.executions, self._seed)
        self._due = self._clock()
        step = Step(
            self._travel, part, self._kept(part), lambda found: self._keep(part, found), self._left
        )
        course = step.course()
        self._course = (part.key, part.executions, course)
        return course

    def _left(self) -> float:
        return self._deadline - self._clock()

    def _kept(self, part: Part) -> IntArray | None:
        """The samples of a step if they were kept before."""
        if not self._keeps:
            return None
        shape = (len(part.sets), part.shots)
        try:
            return read_samples(self._store, self._travel.trial, part.key.step, shape)
        except DamagedError as damage:
            note = self._store.mend(damage)
            self.notes.append(f"{note}, and the samples are fetched from the provider again")
            return None

    def _keep(self, part: Part, samples: IntArray) -> None:
        if self._keeps:
            save_samples(self._store, self._travel.trial, part.key.step, samples)
