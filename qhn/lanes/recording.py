"""The records that a lane's machine wants written."""

from __future__ import annotations

from collections.abc import Sequence

from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import JobState, Record, Share
from qhn.lanes.state import Lease, State


def record_of(
    state: State,
    lease: Lease,
    end: JobState | None = None,
    used: Sequence[Usage] | None = None,
    why: str = "",
) -> Record:
    """The record of a job as it is now.

    Args:
        state: the machine's state.
        lease: the lease, or orphan, of the job.
        end: how the job ended; None if it has not.
        used: what each member used; None if the job has not ended.
        why: for people: why it failed or was abandoned.
    """
    parts = [None] * len(lease.members) if used is None else used
    members = tuple(
        Share(
            submission=member.request.submission,
            sweep=member.request.sweep,
            trial=member.request.trial,
            wanted=member.request.wanted,
            used=part,
        )
        for member, part in zip(lease.members, parts, strict=True)
    )
    under_way: JobState = "reserved" if lease.job_id is None else "submitted"
    return Record(
        submission=lease.submission,
        state=under_way if end is None else end,
        holder=lease.holder,
        token=lease.token,
        members=members,
        # The ledger is read by people and by later brokers, whose clocks know nothing of this one.
        at=state.clock.last,
        stamps=tuple(stamp - state.clock.ahead for stamp in lease.stamps),
        job_id=lease.job_id,
        why=why,
    )
