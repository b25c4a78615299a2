"""What a device can do, as plain data: a plan asks it before anything is opened or paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.core.errors import InvalidValueError

#: What happens to work that was handed in when the process that did so has died. ``idempotent``:
#: handing it in again costs nothing; ``findable``: it is found again by the id that it was handed
#: in with; ``neither``: it is lost, and was paid for.
Submission = Literal["idempotent", "findable", "neither"]


@dataclass(frozen=True)
class Capabilities:
    """What a device gives, and how it takes its work.

    Attributes:
        distribution: whether it gives the whole distribution q_θ, exactly, and its gradient.
        samples: whether it draws bit strings from q_θ.
        log_q: whether it tells log q_θ(σ) of a given string.
        reproducible: whether the same random stream gives the same samples.
        queued: whether work waits in a queue that others use as well.
        submission: see `Submission`.
        circuits_per_job: the most circuits that one job takes, None for any number.

    Raises:
        InvalidValueError: if it gives nothing, or takes no circuits.
    """

    distribution: bool
    samples: bool
    log_q: bool
    reproducible: bool
    queued: bool
    submission: Submission
    circuits_per_job: int | None = None

    def __post_init__(self) -> None:
        if not (self.distribution or self.samples):
            raise InvalidValueError(
                "a device must give a distribution or samples, but got neither of them"
            )
        if self.circuits_per_job is not None and self.circuits_per_job < 1:
            raise InvalidValueError(
                f"`circuits_per_job >= 1` must hold, but got {self.circuits_per_job}; "
                "leave it None where there is no limit"
            )

    @property
    def tells_probabilities(self) -> bool:
        """Whether the probability of a string can be known: divergences of log q need it."""
        return self.distribution or self.log_q
