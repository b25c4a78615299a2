"""What a lane's machine knows: who waits, who holds a lease, what was submitted and spent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from qhn.core.errors import InvalidValueError
from qhn.lanes.amounts import Usage
from qhn.lanes.limits import Budget, Limits


@dataclass(frozen=True)
class Request:
    """One step of a trial, for which somebody wants a job.

    Attributes:
        submission: the id under which it would be submitted; see `qhn.lanes.submission`.
        holder: who asks. Each process that asks has a name of its own, so that a trial that was
            started again is another holder than the one that died.
        sweep: whose budget it uses, and among whom the lane is shared fairly.
        trial: the id of the trial.
        wanted: what the job is expected to use. It is reserved when the lease is granted.

    Raises:
        InvalidValueError: if a text is empty, or if it wants no shots or no seconds.
    """

    submission: str
    holder: str
    sweep: str
    trial: str
    wanted: Usage

    def __post_init__(self) -> None:
        for name in ("submission", "holder", "sweep", "trial"):
            if not getattr(self, name):
                raise InvalidValueError(f"{name} must be given, but got an empty text")
        # The lane is shared by seconds: whoever asked for none would always be first.
        if self.wanted.shots < 1 or not self.wanted.qpu_seconds > 0:
            raise InvalidValueError(
                "a request must want at least one shot and more than 0 qpu_seconds, "
                f"but got {self.wanted}"
            )


#: Who waits for what: a submission id and a holder. Two holders may wait for the same step.
Key = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """A request and its place in the order of arrival.

    Attributes:
        arrival: the smaller, the earlier. It is kept if a lease comes to nothing.
        expires_at: when the wait ends unless the request is made again, in the machine's time.
    """

    request: Request
    arrival: int
    expires_at: float

    @property
    def key(self) -> Key:
        """Its key in `State.waiting` and `State.parked`."""
        return self.request.submission, self.request.holder


@dataclass(frozen=True)
class Lease:
    """The right to have one job in flight, and the record of a job that may be in flight.

    Attributes:
        token: the fencing token. A later lease always has a greater one.
        submission: the id under which the job is submitted, that of the first who led it.
        holder: who leads: submits for all members, or takes the job up again.
        members: whose steps are in the job.
        expires_at: when it ends unless it is renewed, in the machine's time.
        admitted: whether its holder was told to submit, so that a job may exist from then on.
        job_id: the provider's name for the job, once it is known.
        stamps: when submissions were, or may have been, made for it, in the machine's time.
        gone: holders of whom the machine knows, or must assume, that they are no more.
    """

    token: int
    submission: str
    holder: str
    members: tuple[Entry, ...]
    expires_at: float
    admitted: bool = False
    job_id: str | None = None
    stamps: tuple[float, ...] = ()
    gone: frozenset[str] = frozenset()

    @property
    def wanted(self) -> tuple[Usage, ...]:
        """What is reserved for each member."""
        return tuple(member.request.wanted for member in self.members)

    def has(self, submission: str) -> bool:
        """Whether one of its members has this submission id."""
        return any(member.request.submission == submission for member in self.members)


@dataclass(frozen=True)
class Account:
    """How much of the lane a sweep has had.

    Attributes:
        head_start: QPU seconds that it is treated as having had. A sweep that comes while others
            are at work starts at the least of theirs, and makes nothing up for its absence.
        spent: what its jobs have used, all that are settled.
    """

    head_start: float = 0.0
    spent: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Clock:
    """A clock that never goes back, made of one that may.

    If the caller's clock is set back, the machine's stands still for that one moment, and goes on
    from there at the caller's pace. A leap forward is taken for time that has passed: leases end
    too early, which costs a renewal and never a second job.

    Attributes:
        now: the machine's time, seconds.
        last: the caller's time at the last event.
        ahead: what the machine's time is ahead of the caller's.
    """

    now: float = -math.inf
    last: float = -math.inf
    ahead: float = 0.0

    def at(self, time: float) -> Clock:
        """The clock when the caller's shows this time.

        Raises:
            InvalidValueError: if the time is not finite.
        """
        if not math.isfinite(time):
            raise InvalidValueError(f"a time must be a finite number of seconds, but got {time!r}")
        ahead = self.ahead + max(0.0, self.last - time) if math.isfinite(self.last) else 0.0
        # Rounding could still take the sum a little below the last time.
        return Clock(max(self.now, time + ahead), time, ahead)

    def shown_at(self, due: float) -> float:
        """The earliest time of the caller's at which the machine's is ``due`` or later."""
        time = due - self.ahead
        while time + self.ahead < due:
            time += max(math.ulp(time), math.ulp(due))
        return time


class State(NamedTuple):
    """All that a lane's machine knows. It is never changed: each event makes another one.

    It is a named tuple and no dataclass, because a changed copy of it costs a quarter of the time,
    and each event makes several.

    Attributes:
        limits: those of the lane.
        budgets: by sweep; a sweep without one is not limited.
        waiting: requests that wait for a lease, in the order of their arrival.
        parked: requests that wait until a budget is raised.
        leases: leases that are held, by token.
        orphans: jobs that were or may have been submitted and that nobody looks after, by the token
            of their last lease. Each keeps its place in the lane.
        accounts: by sweep.
        trials: what each (sweep, trial) has used.
        stamps: when submissions were made in the last minute, the earliest first. Each event takes
            away those that are older.
        next_token: the fencing token of the next lease.
        next_arrival: the number of the next request.
        floor: the QPU seconds at which a newcomer starts.
        due: a time before which nothing that the state knows expires.
        clock: the time.
    """

    limits: Limits
    budgets: Mapping[str, Budget] = MappingProxyType({})
    waiting: Mapping[Key, Entry] = MappingProxyType({})
    parked: Mapping[Key, Entry] = MappingProxyType({})
    leases: Mapping[int, Lease] = MappingProxyType({})
    orphans: Mapping[int, Lease] = MappingProxyType({})
    accounts: Mapping[str, Account] = MappingProxyType({})
    trials: Mapping[tuple[str, str], Usage] = MappingProxyType({})
    stamps: tuple[float, ...] = ()
    next_token: int = 1
    next_arrival: int = 1
    floor: float = 0.0
    due: float = -math.inf
    clock: Clock = Clock()

    @property
    def in_flight(self) -> int:
        """How many places of the lane are taken."""
        return len(self.leases) + len(self.orphans)

    def places(self) -> Iterator[Lease]:
        """Every lease and every orphan: all that takes a place and has something reserved."""
        yield from self.leases.values()
        yield from self.orphans.values()

    @property
    def window_is_open(self) -> bool:
        """Whether one more submission is within the limit of submissions per minute.

        A submission without a job id, which is about to be made or under way, counts as if it were
        made now. So the provider never sees more than the limit, however long one takes.
        """
        most = self.limits.submissions_per_minute
        if most is None:
            return True
        under_way = sum(lease.job_id is None for lease in self.leases.values())
        return under_way + len(self.stamps) < most

    def is_recent(self, stamp: float) -> bool:
        """Whether a submission at this time counts in the window of the present time."""
        # The machine wakes at this sum. Were it written as a difference here, rounding could let it
        # wake a moment too early, again and again.
        return stamp + self.limits.minute_s > self.clock.now
