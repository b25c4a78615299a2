"""The state of a lane's machine after its broker died, made from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Record, first_token
from qhn.lanes.limits import Budget, Limits
from qhn.lanes.state import Account, Clock, Entry, Lease, Request, State


def rebuild(
    records: Iterable[Record],
    time: float,
    *,
    claim: int,
    limits: Limits,
    budgets: Mapping[str, Budget] | None = None,
) -> State:
    """The state in which a new broker starts.

    Every job that was or may have been submitted keeps its place, its reservation and its token,
    and gets a new term: a holder that is alive renews it and notices nothing; one that is dead
    does not, and the job becomes an orphan. Requests that waited, and leases with which nothing can
    have been submitted, are not in the ledger. Their holders ask again. All sweeps start with an
    equal share, so that what one had more or less at that moment is forgotten.

    Args:
        records: the latest record of each job, of all ledgers of the lane.
        time: the present time, seconds since 1970 by the caller's clock.
        claim: what `qhn.lanes.ledger.Ledger.claim` returned; it makes new tokens greater than all
            earlier ones, recorded or not.
        limits: the limits of the lane.
        budgets: those of sweeps, by name.

    Raises:
        InvalidValueError: if the time is not finite.
    """
    state = State(limits=limits, budgets=dict(budgets or {}), clock=Clock().at(time))
    leases: dict[int, Lease] = {}
    accounts: dict[str, Account] = {}
    trials: dict[tuple[str, str], Usage] = {}
    stamps: list[float] = []
    arrival, newest = state.next_arrival, 0
    for record in sorted(records, key=lambda record: record.token):
        newest = max(newest, record.token)
        # A time to come was written by a clock that has been set back since. That submission
        # counts as the latest possible.
        stamps += [min(stamp, time) for stamp in record.stamps]
        if record.is_over:
            for share in record.members:
                account, step = accounts.get(share.sweep, Account()), (share.sweep, share.trial)
                used = share.used or Usage()
                accounts[share.sweep] = replace(account, spent=account.spent + used)
                trials[step] = trials.get(step, Usage()) + used
            continue
        lease = _lease(record, arrival, time + limits.term_s, time)
        arrival += len(lease.members)
        leases[lease.token] = lease
    state = state._replace(leases=leases, trials=trials, next_arrival=arrival)
    return state._replace(
        accounts=_level(accounts),
        floor=max((account.spent.qpu_seconds for account in accounts.values()), default=0.0),
        stamps=tuple(sorted(stamp for stamp in stamps if state.is_recent(stamp))),
        next_token=max(newest + 1, first_token(claim)),
    )


def _lease(record: Record, arrival: int, expires_at: float, time: float) -> Lease:
    members = tuple(
        Entry(
            # The ledger knows one holder, that of the whole job. Other members that are alive ask
            # for their steps again, and are then found by the submission ids of these.
            Request(share.submission, record.holder, share.sweep, share.trial, share.wanted),
            arrival + number,
            expires_at,
        )
        for number, share in enumerate(record.members)
    )
    return Lease(
        token=record.token,
        submission=record.submission,
        holder=record.holder,
        members=members,
        expires_at=expires_at,
        admitted=True,
        job_id=record.job_id,
        stamps=tuple(min(stamp, time) for stamp in record.stamps),
    )


def _level(accounts: Mapping[str, Account]) -> dict[str, Account]:
    most = max((account.spent.qpu_seconds for account in accounts.values()), default=0.0)
    return {
        sweep: replace(account, head_start=most - account.spent.qpu_seconds)
        for sweep, account in accounts.items()
    }
