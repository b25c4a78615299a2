"""The protocol of devices whose jobs wait in a queue, and the plain data that passes through it.

Such a device is reached over a network and shared with other people. A job on it is submitted, it
waits, it executes, and its samples are fetched later, perhaps by another process than the one that
submitted it. So every method here names a job by its id and keeps nothing in the handle that could
not be lost. When work may be submitted is not decided here but by the lane; see `qhn.lanes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.capabilities import Submission
from qhn.devices.handle import DeviceHandle

#: Where a job is: it waits at the provider, it executes, or it has ended.
Phase = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class Part:
    """The circuits of one training step in a job. A job may have parts of several trials.

    Attributes:
        ansatz: the circuit.
        sets: M sets of angles in radians, shape ``(M, depth, 2, N)``.
        shots: how often each circuit is run.
        key: for which trial and step the samples are drawn.
    """

    ansatz: Ansatz
    sets: FloatArray
    shots: int
    key: SampleKey

    @property
    def executions(self) -> int:
        """How often a circuit is executed for it: sets times shots."""
        return len(self.sets) * self.shots


@dataclass(frozen=True)
class JobReport:
    """What the provider says about a job.

    Attributes:
        phase: where the job is.
        why: the provider's words if the job has failed.
        shots: executions that were billed; None while that is not known.
        qpu_seconds: seconds of the processor that were billed; None while that is not known.
        queued_s: seconds of our clock for which the job waited, or None.
        executing_s: seconds of our clock for which it executed, or None.
        calibrated: when the backend was calibrated before the job, as ISO 8601 text, or None.
    """

    phase: Phase
    why: str = ""
    shots: int | None = None
    qpu_seconds: float | None = None
    queued_s: float | None = None
    executing_s: float | None = None
    calibrated: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.phase in ("done", "failed")


@runtime_checkable
class QueuedHandle(DeviceHandle, Protocol):
    """A handle of a device with a queue.

    Every method may raise whatever the provider's library raises; `qhn.lanes.failures` tells from
    it whether to wait, to take a job up again, or to give up. No method waits for the job.
    """

    def submit(self, submission: str, parts: Sequence[Part]) -> str:
        """Submit one job, which carries the submission id where the provider allows it.

        Args:
            submission: the submission id: letters, digits and hyphens, at most 64 of them.
            parts: the work of one or several trials, in the order in which `fetch` gives it back.

        Returns:
            The provider's id of the job. On an idempotent device, a repeated submission id gives
            the id of the job that exists already.
        """
        ...

    def find(self, submission: str) -> str | None:
        """The id of the job with a submission id; None if a listing does not show one (yet).

        A device whose jobs are not findable always returns None.
        """
        ...

    def look(self, job_id: str) -> JobReport:
        """Ask how a job is."""
        ...

    def fetch(self, job_id: str, places: Sequence[int] | None = None) -> list[IntArray]:
        """The samples of a job that is done, one array of shape ``(M, S)`` for each wanted part.

        They are basis-state indices, int64, with qubit 0 as the highest bit. They may be fetched
        more than once, and by any process. The samples of a part do not depend on which others are
        fetched with it.

        Args:
            job_id: the provider's id of the job.
            places: the numbers of the wanted parts, from 0 on in the order of `submit`. Trials that
                share a job each want their own part alone. None means all parts.

        Returns:
            The samples in the order of ``places``.

        Raises:
            InvalidValueError: if the job has no part of such a number.
        """
        ...


@dataclass(frozen=True)
class Provider:
    """What is to be expected of a provider, for the defaults of a lane and the price of a plan.

    Attributes:
        queue_s: the usual time that a job waits, seconds.
        job_s: the time of the processor that each job takes, however short, seconds.
        execution_s: the time of the processor for one execution of one circuit, seconds.
        pending: the most jobs of one user that the provider accepts; None if there is no limit.
        submissions_per_minute: the most submissions of one user in a minute, or None.
        parts_per_job: the most parts in one job; 1 if the provider takes one circuit at a time.
        executions_per_job: the most executions, sets times shots, in one job, or None.
        price_job: the price of each job.
        price_shot: the price of each execution.
        price_second: the price of each second of the processor.
        price_minimum: the least that a job costs.
        currency: of all prices.
        submission: what becomes of a job whose id was lost, as its handle's capabilities say.
        speedup: how many seconds of the provider pass in one second of ours. It is above 1 only
            where a provider is rehearsed. All times above, and what is billed, are in seconds of
            the provider, so that prices are the real ones.
    """

    queue_s: float = 0.0
    job_s: float = 2.0
    execution_s: float = 0.0
    pending: int | None = None
    submissions_per_minute: int | None = None
    parts_per_job: int = 1
    executions_per_job: int | None = None
    price_job: float = 0.0
    price_shot: float = 0.0
    price_second: float = 0.0
    price_minimum: float = 0.0
    currency: str = "USD"
    submission: Submission = "neither"
    speedup: float = 1.0

    @property
    def minute_s(self) -> float:
        """Seconds of ours in which there may be no more than ``submissions_per_minute``."""
        return 60.0 / self.speedup

    def qpu_seconds(self, executions: int) -> float:
        """The seconds of the processor that a job with so many executions is expected to take."""
        return self.job_s + self.execution_s * executions

    def cost(self, executions: int, qpu_seconds: float) -> float:
        """The price of one job with so many executions and seconds, in ``currency``."""
        price = self.price_job + self.price_shot * executions + self.price_second * qpu_seconds
        return float(max(self.price_minimum, price))


class Access(Protocol):
    """How a queued device is reached: a frozen dataclass of settings that decide no numbers.

    Its fields stand beside the device's options in a sweep file, and are not part of any trial's
    identity. All of them have defaults, and all of their values can be written as JSON. It never
    holds a secret.
    """

    @property
    def provider(self) -> Provider:
        """What is to be expected of the provider with these settings."""

    def queue(self, label: str) -> str:
        """The name of the queue: letters, digits and hyphens. Devices with one name share it.

        Args:
            label: the label of the device in the sweep file, or its name.
        """

    def placed(self, folder: str, label: str) -> Access:
        """The settings with everything filled in that depends on where the sweep runs.

        Args:
            folder: a local folder, in the store, where the device may keep files.
            label: as in `queue`.
        """
