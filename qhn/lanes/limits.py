"""What a lane may do: how many jobs, how often, for how much, and at what prices.

The limits belong to the lane, which all sweeps share; a budget belongs to one sweep. None of this
is part of a trial's identity, because it decides when and at what price circuits run, and never
which numbers come out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.lanes.amounts import Usage, check_amount

# Sums of reservations are rounded, and a budget of 10 seconds must allow a hundred jobs of 0.1.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Limits:
    """What may be under way in a lane at once.

    Attributes:
        jobs_in_flight: the most jobs that are leased or at the provider at any time.
        submissions_per_minute: the most submissions in any minute; None if there is no limit.
        requests_per_job: the most steps, of different trials, that go out as one job.
        term_s: seconds after which a lease, or a wait for one, ends unless it is renewed.
        minute_s: how long a minute takes, in seconds. It is shorter than 60 only where a provider
            is rehearsed whose clock runs faster.

    Raises:
        InvalidValueError: if a number is out of its range.
    """

    jobs_in_flight: int = 2
    submissions_per_minute: int | None = None
    requests_per_job: int = 1
    term_s: float = 60.0
    minute_s: float = 60.0

    def __post_init__(self) -> None:
        check_count("jobs_in_flight", self.jobs_in_flight)
        if self.submissions_per_minute is not None:
            check_count("submissions_per_minute", self.submissions_per_minute)
        check_count("requests_per_job", self.requests_per_job)
        check_amount("term_s", self.term_s, above_zero=True)
        check_amount("minute_s", self.minute_s, above_zero=True)


@dataclass(frozen=True)
class Budget:
    """What a sweep may use of a lane.

    Attributes:
        shots: the most shots; None if they are not limited.
        qpu_seconds: the most seconds of the quantum processor, or None.
        cost: the most money, or None.
        per: whether these are for the whole sweep or for each of its trials.
        when_spent: ``finish`` ends a trial whose next job does not fit; ``wait`` lets it wait until
            there is room, because jobs cost less than was reserved or the budget is raised.

    Raises:
        InvalidValueError: if a number is not above zero, or if no number is given.
    """

    shots: int | None = None
    qpu_seconds: float | None = None
    cost: float | None = None
    per: Literal["sweep", "trial"] = "sweep"
    when_spent: Literal["finish", "wait"] = "finish"

    def __post_init__(self) -> None:
        if self.shots is not None:
            check_count("shots", self.shots)
        for name in ("qpu_seconds", "cost"):
            if (value := getattr(self, name)) is not None:
                check_amount(name, value, above_zero=True)
        if self.shots is None and self.qpu_seconds is None and self.cost is None:
            raise InvalidValueError(
                "a budget must limit shots, qpu_seconds or cost, but got none of them; "
                "leave the budget out if nothing is limited"
            )
        _check_choice("per", self.per, ("sweep", "trial"))
        _check_choice("when_spent", self.when_spent, ("finish", "wait"))

    def allows(self, used: Usage) -> bool:
        """Whether a use is within the budget."""
        return (
            (self.shots is None or used.shots <= self.shots)
            and _within(used.qpu_seconds, self.qpu_seconds)
            and _within(used.cost, self.cost)
        )


@dataclass(frozen=True)
class Prices:
    """What a provider takes for one job.

    Attributes:
        job: for each job.
        shot: for each shot.
        second: for each second of the quantum processor.
        minimum: the least that a job costs.

    Raises:
        InvalidValueError: if a price is negative or not finite.

    Example:
        >>> Prices(job=0.3, shot=0.01).of(shots=100, qpu_seconds=2.0)
        1.3
    """

    job: float = 0.0
    shot: float = 0.0
    second: float = 0.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        for name in ("job", "shot", "second", "minimum"):
            check_amount(name, getattr(self, name))

    def of(self, shots: int, qpu_seconds: float) -> float:
        """The price of one job, in the currency of these prices."""
        price = self.job + self.shot * shots + self.second * qpu_seconds
        return float(max(self.minimum, price))


def jobs_to_keep_in_flight(queue_s: float, execution_s: float, most: int | None = None) -> int:
    """How many jobs in flight keep a processor busy: queue time over execution time, plus two.

    While one job executes, others must be on their way through the queue, so that the next arrives
    before the processor idles.

    Args:
        queue_s: the mean time that a job waits at the provider, seconds.
        execution_s: the time that it executes, seconds, above 0.
        most: the most pending jobs that the provider accepts, or None.

    Raises:
        InvalidValueError: if a time is out of its range.
    """
    check_amount("queue_s", queue_s)
    check_amount("execution_s", execution_s, above_zero=True)
    wanted = math.ceil(queue_s / execution_s) + 2
    return wanted if most is None else min(wanted, check_count("most", most))


def live_trials(jobs_in_flight: int) -> int:
    """How many trials should be alive for this many jobs in flight: twice as many.

    A trial that computes between two jobs has none in flight. With J jobs in flight, J + 1 to 2J
    live trials were enough in simulations; more only take memory.
    """
    return 2 * check_count("jobs_in_flight", jobs_in_flight)


def _within(used: float, limit: float | None) -> bool:
    return limit is None or used <= limit * (1 + _ROUNDING)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidValueError(f"{name} must be one of {', '.join(choices)}, but got {value!r}")
