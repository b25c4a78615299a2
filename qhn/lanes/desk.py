"""What holders say to the broker of a queue, and what it replies.

Every call may be repeated: one whose answer was lost is made again, and changes nothing twice. So a
holder that has lost sight of where it is simply asks again for the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Ledger, Outcome, Record
from qhn.lanes.limits import Budget, Limits
from qhn.lanes.state import Request


@dataclass(frozen=True)
class Asking:
    """A request, with all that a broker needs which has never heard of its sweep.

    Attributes:
        request: the step for which a job is wanted. Its ``sweep`` is an account, see `account`.
        part: the work of the step, for whichever member of a job submits it. The broker only hands
            it on.
        store: the address of the store in which the jobs of this sweep are written down.
        limits: what the sweep wants to be under way at once.
        budget: what the sweep may use; None if it is not limited.
    """

    request: Request
    part: bytes
    store: str
    limits: Limits
    budget: Budget | None = None


@dataclass(frozen=True, kw_only=True)
class _Reply:
    """What all replies have.

    Attributes:
        notes: lines for people, each told to a sweep once.
    """

    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chore:
    """A job that nobody looks after, and of which whoever waits may find out what became.

    Attributes:
        submission: the id under which it was submitted.
        job_id: the provider's name for it; None if that never became known.
        token: the token of the last lease of the job. Each lease may have submitted it anew.
    """

    submission: str
    job_id: str | None
    token: int


@dataclass(frozen=True)
class Waiting(_Reply):
    """There is no lease yet. The request must be made again within the term.

    Attributes:
        chore: something to find out meanwhile, for the good of all that wait; see `Desk.settle`.
    """

    chore: Chore | None = None


@dataclass(frozen=True)
class Granted(_Reply):
    """The step goes out with a lease.

    Attributes:
        token: the fencing token of the lease.
        submission: the id under which the job is submitted.
        leads: whether the holder that asked leads. The others ask on until the job is over.
        place: the number of the step among the parts of the job, from 0 on.
        record: what is written down about the job. If there is anything, the job may exist.
        term_s: seconds within which the leader must renew the lease.
    """

    token: int
    submission: str
    leads: bool
    place: int
    record: Record | None
    term_s: float


@dataclass(frozen=True)
class Over(_Reply):
    """The job with this step has ended.

    Attributes:
        outcome: how. If it is done, its samples are paid for, and are fetched from the provider.
            If not, the step needs another attempt, with an id of its own.
        job_id: the provider's name for the job, or None if it never became known.
        place: the number of this step among the parts of the job, from 0 on.
        used: what the step used of the lane.
        steps: how many steps, of different trials, were in the job.
        why: for people: why it failed or was abandoned.
    """

    outcome: Outcome
    job_id: str | None
    place: int
    used: Usage
    steps: int
    why: str = ""


@dataclass(frozen=True)
class Refused(_Reply):
    """The budget has no room for the job.

    Attributes:
        waits: whether the request waits for a greater budget; if not, the trial ends for now.
        spent: what the sweep has used.
    """

    waits: bool
    spent: Usage


Reply: TypeAlias = Waiting | Granted | Over | Refused


def says_nothing(reply: Reply, known: int | None) -> bool:
    """Whether a reply tells its holder only what it knows, so that it may be held back.

    Args:
        reply: the reply.
        known: as in `Desk.ask`.
    """
    if reply.notes:
        return False
    if isinstance(reply, Waiting):
        return reply.chore is None
    return isinstance(reply, Granted) and not reply.leads and reply.token == known


@dataclass(frozen=True)
class Admission:
    """The word to submit, at once.

    Attributes:
        submission: the id under which to submit.
        parts: the work of each step in the job, in the order in which it must be submitted. None
            for a step whose trial has died, and that the broker has not heard of since it started.
    """

    submission: str
    parts: tuple[bytes | None, ...]


class Desk(Protocol):
    """The broker as its holders see it.

    Raises:
        StoreError: from every method, if a ledger cannot be read or written, or if another broker
            uses the queue.
        RayError: from every method, if the broker cannot be reached or started.
    """

    def ask(self, asking: Asking, wait_s: float = 0.0, known: int | None = None) -> Reply:
        """Ask for a lease, or again for one that the holder waits for or has.

        Args:
            asking: what is wanted.
            wait_s: for how many seconds the broker may hold the answer back while nothing changes.
            known: the token of a lease that another member leads, if the holder knows it. An
                answer that says only this is held back like one that says nothing.
        """

    def admit(self, token: int, holder: str) -> Admission | None:
        """Ask right before submitting. None if the lease is lost; then nothing may be submitted."""

    def submitted(self, token: int, holder: str, job_id: str) -> bool:
        """Say which job was submitted, or found. False if the lease is lost."""

    def renew(self, token: int, holder: str) -> bool:
        """Say that the holder is there. False if the lease is lost."""

    def release(
        self,
        token: int,
        holder: str,
        outcome: Literal["done", "failed", "unused"],
        used: Usage | None = None,
        why: str = "",
    ) -> bool:
        """Give a lease back; see `qhn.lanes.events.Release`. False if it is lost."""

    def settle(
        self,
        submission: str,
        outcome: Outcome,
        used: Usage | None = None,
        job_id: str | None = None,
        why: str = "",
    ) -> bool:
        """Say how a job ended that nobody looks after; see `qhn.lanes.events.Settle`.

        Returns:
            Whether there was such a job.
        """

    def gone(self, holder: str) -> None:
        """Say that a holder has ended, or has died."""


class Place(Protocol):
    """What a store has for one queue: its ledger, and the right to be the queue's only broker."""

    @property
    def ledger(self) -> Ledger:
        """The ledger of the queue."""

    def occupy(self) -> None:
        """Become the only broker of the queue until `leave`, or until this process ends.

        Without this, two brokers of different Rays that share a store would each claim the ledger
        from the other in turns.

        Raises:
            StoreError: if another process has this right.
        """

    def leave(self) -> None:
        """Give the right back."""


#: Opens the part of a store that belongs to a queue, given the store's address and the queue.
OpenPlace: TypeAlias = Callable[[str, str], Place]


def holder_of(trial: str, process: str) -> str:
    """The name under which a process asks for the steps of a trial.

    Args:
        trial: the id of the trial.
        process: a name that no other process ever has.
    """
    return f"{trial}@{process}"


def trial_of(holder: str) -> str:
    """The id of the trial for whose steps a holder asks."""
    return holder.partition("@")[0]


def account(sweep: str, store: str) -> str:
    """The account of a sweep: two stores may have sweeps of one name, which share no budget.

    Args:
        sweep: the name of the sweep.
        store: the id of its store.
    """
    return f"{sweep}@{store}"


def sweep_of(account: str) -> str:
    """The name of the sweep that has an account."""
    return account.rpartition("@")[0]
