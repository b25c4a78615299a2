"""What a device can do, as plain data. A plan reads it before a device is opened or paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.core.errors import InvalidValueError

#: What becomes of submitted work if the process that submitted it dies. ``idempotent``: the work
#: can be submitted again at no cost. ``findable``: the job is found again by the id that it was
#: submitted with. ``neither``: the work is lost, although it was paid for.
Submission = Literal["idempotent", "findable", "neither"]


@dataclass(frozen=True)
class Capabilities:
    """What a device can compute, and how work is submitted to it.

    Attributes:
        distribution: whether it computes the whole distribution q_θ, exactly, and its gradient.
        samples: whether it draws bit strings from q_θ.
        log_q: whether it computes log q_θ(σ) for a given string σ.
        reproducible: whether the same random stream gives the same samples.
        queued: whether jobs wait in a queue that other people use as well.
        submission: what becomes of work if the submitting process dies; see `Submission`.
        circuits_per_job: the largest number of circuits in one job; None if there is no limit.
        shots: how many samples each circuit is run for, as the device's options say; the largest
            number if they change during training. None for a device that does not sample.
        trajectories: over how many trajectories of its noise the device averages distributions that
            are exact for each of them. The average is an estimate, so it gives neither
            ``distribution`` nor ``log_q``. None for a device that does not do this.

    Raises:
        InvalidValueError: if the device gives neither a distribution nor samples nor trajectories,
            or if ``circuits_per_job``, ``shots`` or ``trajectories`` is below 1.
    """

    distribution: bool
    samples: bool
    log_q: bool
    reproducible: bool
    queued: bool
    submission: Submission
    circuits_per_job: int | None = None
    shots: int | None = None
    trajectories: int | None = None

    def __post_init__(self) -> None:
        if not (self.distribution or self.samples or self.trajectories is not None):
            raise InvalidValueError(
                "a device must give a distribution, samples or trajectories, but got none of them"
            )
        if self.circuits_per_job is not None and self.circuits_per_job < 1:
            raise InvalidValueError(
                f"`circuits_per_job >= 1` must hold, but got {self.circuits_per_job}; "
                "leave it None where there is no limit"
            )
        for name, count in (("shots", self.shots), ("trajectories", self.trajectories)):
            if count is not None and count < 1:
                raise InvalidValueError(f"`{name} >= 1` must hold, but got {name}={count}")

    @property
    def tells_probabilities(self) -> bool:
        """Whether the device gives the probability of a string, which the KL divergence needs."""
        return self.distribution or self.log_q
