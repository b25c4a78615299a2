"""The ledger: every job that was or may have been paid for, written down before it is submitted.

A job's record is replaced as the job goes on::

    reserved ──> submitted ──> done        the provider's usage is known, or what was reserved
        │            │ ├─────> failed      it came to nothing; usage is what was billed all the same
        │            │ └─────> abandoned   a person gave it up; what was reserved counts as used
        └────────────┴───────> …           the same three ends, if its job id never became known

The ledger is what counts after a crash: `qhn.lanes.rebuild` makes the machine's state from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from qhn.core.errors import InvalidValueError
from qhn.lanes.amounts import Usage, total

JobState = Literal["reserved", "submitted", "done", "failed", "abandoned"]
#: How a job can end.
Outcome = Literal["done", "failed", "abandoned"]
ENDS: frozenset[str] = frozenset(get_args(Outcome))
_RANK = {"reserved": 0, "submitted": 1, "done": 2, "failed": 2, "abandoned": 2}


@dataclass(frozen=True)
class Share:
    """One step in a job.

    Attributes:
        submission: the submission id of this step.
        sweep: the sweep on whose account it is.
        trial: the id of the trial.
        wanted: what was reserved for it.
        used: its part of what the job used; None until the job has ended.
    """

    submission: str
    sweep: str
    trial: str
    wanted: Usage
    used: Usage | None = None


@dataclass(frozen=True)
class Record:
    """What is known about one job.

    Attributes:
        submission: the id under which it is submitted.
        state: how far it is.
        holder: who looks after it, or did so last.
        token: the fencing token of the holder's lease.
        members: the steps in it. Any of them finds the job by its own submission id.
        at: when this was written, in seconds since 1970 by the writer's clock.
        stamps: when submissions were, or may have been, made for it, by the same clock.
        job_id: the provider's name for the job, once it is known.
        why: for people: why it failed or was abandoned.

    Raises:
        InvalidValueError: if it has no members, or if it is at an end without their usage or not at
            an end with it.
    """

    submission: str
    state: JobState
    holder: str
    token: int
    members: tuple[Share, ...]
    at: float
    stamps: tuple[float, ...] = ()
    job_id: str | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if self.state not in _RANK:
            raise InvalidValueError(
                f"a job's state must be one of {', '.join(_RANK)}, but got {self.state!r}"
            )
        if not self.members:
            raise InvalidValueError("a job must have at least one step, but got none")
        if any((share.used is not None) != self.is_over for share in self.members):
            raise InvalidValueError(
                f"the usage of each step must be known when, and only when, the job is over, "
                f"but got {self.members} for a job that is {self.state}"
            )

    @property
    def is_over(self) -> bool:
        """Whether the job is at an end."""
        return self.state in ENDS

    @property
    def used(self) -> Usage:
        """What the whole job used, as far as it is known."""
        return total(share.used for share in self.members if share.used is not None)


class Ledger(Protocol):
    """Keeps the records of one lane. Any process may read; the last that claimed it may write.

    Raises:
        StoreError: from every method, if the place cannot be used.
    """

    def claim(self) -> int:
        """Become the ledger's writer. Everyone who claimed it before can append no more.

        Returns:
            A number that is greater with each claim; `first_token` makes it into a token.
        """

    def append(self, record: Record) -> None:
        """Write a record, which takes the place of an earlier one of the same job.

        When this returns, the record outlives a power cut.

        Raises:
            FencedError: if this object has not claimed the ledger, or if another has since.
            InvalidValueError: if the record cannot follow the one that is there; see
                `check_follows`.
        """

    def read(self) -> list[Record]:
        """The latest record of each job, in the order of their submission ids.

        Raises:
            DamagedError: if a record cannot be read. Nobody may go on as if it were not there,
                since a job may be paid for twice.
        """


def first_token(claim: int) -> int:
    """The first fencing token of whoever claimed a ledger.

    Every claim has four billion of them, so that a lease which an earlier broker granted, without
    a record of it, never has the token of a later one.
    """
    return claim << 32


def check_follows(earlier: Record | None, record: Record) -> None:
    """Check that a record may take the place of an earlier one.

    Raises:
        InvalidValueError: if the earlier job was further or has ended otherwise, if the record has
            a smaller token or another job id, or if its steps are others.
    """
    if earlier is None or earlier == record:
        return
    if earlier.is_over or _RANK[record.state] < _RANK[earlier.state]:
        raise InvalidValueError(
            f"a job's record must go on from where it is, but {record.submission} is "
            f"{earlier.state} and was to become {record.state}"
        )
    if record.token < earlier.token:
        raise InvalidValueError(
            f"a job's tokens must grow, but {record.submission} has {earlier.token} "
            f"and was to get {record.token}"
        )
    if earlier.job_id is not None and record.job_id != earlier.job_id:
        raise InvalidValueError(
            f"a job keeps its id, but {record.submission} is {earlier.job_id!r} "
            f"and was to become {record.job_id!r}; a second job may have been paid for"
        )
    if {_step(share) for share in record.members} != {_step(share) for share in earlier.members}:
        raise InvalidValueError(
            f"a job keeps its steps, but those of {record.submission} were to become others"
        )


def _step(share: Share) -> tuple[str, str, str, Usage]:
    return share.submission, share.sweep, share.trial, share.wanted
