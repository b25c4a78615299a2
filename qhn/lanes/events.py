"""What happens to a lane's machine, and what the machine tells its shell to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Outcome, Record
from qhn.lanes.limits import Budget, Limits
from qhn.lanes.state import Lease, Request

# Events.


@dataclass(frozen=True)
class Acquire:
    """Somebody wants a lease, or asks again for one that it waits for or has.

    Asking again within the term keeps a wait alive, and repeats an answer that was lost.
    """

    request: Request


@dataclass(frozen=True)
class Admit:
    """A holder is about to submit, and asks whether its lease still stands.

    It must submit at once when it is admitted, and must not when it is denied.
    """

    token: int


@dataclass(frozen=True)
class Submitted:
    """A holder has submitted its job, or has found it again."""

    token: int
    job_id: str


@dataclass(frozen=True)
class Renew:
    """A holder is still there."""

    token: int


@dataclass(frozen=True)
class Release:
    """A holder is done with its lease.

    Attributes:
        token: that of the lease.
        outcome: ``done`` or ``failed`` for a job that has ended; ``unused`` if nothing was
            submitted, and nothing can have been.
        used: the provider's account of the whole job; None if it gives none, and then what was
            reserved counts for a job that is done, and nothing for one that failed.
        why: for people: why it failed.
    """

    token: int
    outcome: Literal["done", "failed", "unused"]
    used: Usage | None = None
    why: str = ""


@dataclass(frozen=True)
class Settle:
    """It was found out how a job ended that nobody looked after, or a person has given it up.

    It changes nothing while somebody holds a lease for the job.

    Attributes:
        submission: the id of the job.
        outcome: how it ended. What was reserved counts as used for a job that was abandoned.
        used: the provider's account of the whole job, or None as in `Release`.
        job_id: the provider's name for the job, if it was found.
        why: for people.
    """

    submission: str
    outcome: Outcome
    used: Usage | None = None
    job_id: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Gone:
    """A holder has ended, or has died, and will ask for nothing more."""

    holder: str


@dataclass(frozen=True)
class SetLimits:
    """The limits of the lane are others from now on. Leases that are held stay."""

    limits: Limits


@dataclass(frozen=True)
class SetBudget:
    """The budget of a sweep is another from now on; None takes the limit away."""

    sweep: str
    budget: Budget | None


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Acquire | Admit | Submitted | Renew | Release | Settle | Gone | SetLimits | SetBudget | Tick

# Instructions.


@dataclass(frozen=True)
class Write:
    """Write a record to the ledger, before anything that follows is carried out.

    If that fails, the new state and the rest of the instructions must be thrown away.
    """

    record: Record


@dataclass(frozen=True)
class Grant:
    """Tell a member of a lease that its step goes out with it.

    One of the members holds the lease and leads. It asks to be admitted and submits for all; where
    the lease is admitted already, a job may exist, and it takes that up. The others wait for
    `Over`.
    """

    request: Request
    lease: Lease

    @property
    def leads(self) -> bool:
        """Whether this member holds the lease."""
        return self.request.holder == self.lease.holder


@dataclass(frozen=True)
class Admitted:
    """Tell the holder that it may submit now."""

    lease: Lease


@dataclass(frozen=True)
class Denied:
    """Tell whoever used this token that it has no lease, or no such lease, and must not submit."""

    token: int


@dataclass(frozen=True)
class Refuse:
    """Tell a holder that it gets no lease.

    Attributes:
        request: what it asked for.
        why: ``budget`` if the job does not fit into what is left; ``lapsed`` if the request was not
            made again within the term.
        waits: whether the request stays, until the budget is raised.
    """

    request: Request
    why: Literal["budget", "lapsed"]
    waits: bool = False


@dataclass(frozen=True)
class Lost:
    """Tell a holder that its lease has ended by itself. Its token counts no more."""

    lease: Lease


@dataclass(frozen=True)
class Orphaned:
    """Find out what became of a job that nobody looks after, and say so with `Settle`.

    The machine repeats this after each term, since the job keeps its place in the lane.
    """

    lease: Lease


@dataclass(frozen=True)
class Over:
    """Tell somebody whose step was in a job that the job has ended.

    If it is done, its samples are paid for and are fetched from the provider by its id. If not, the
    step needs another attempt.
    """

    request: Request
    outcome: Outcome
    job_id: str | None


@dataclass(frozen=True)
class Wake:
    """Send a `Tick` at this time of the caller's clock, in place of any earlier wish of this kind.

    It is always the last instruction. If there is none, nothing will happen by time alone.
    """

    at: float


Instruction = Write | Grant | Admitted | Denied | Refuse | Lost | Orphaned | Over | Wake
