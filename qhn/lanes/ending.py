"""How leases end: by usage that is known, by time, or with their holder."""

from __future__ import annotations

from dataclasses import replace

from qhn.lanes.amounts import Usage, total
from qhn.lanes.events import Instruction, Lost, Over, Refuse, Write
from qhn.lanes.ledger import Outcome
from qhn.lanes.queueing import Step, come_back, reconsider, without
from qhn.lanes.recording import record_of
from qhn.lanes.state import Account, Lease, State


def settle(state: State, lease: Lease, outcome: Outcome, used: Usage | None, why: str) -> Step:
    """End a job: put its usage on the accounts, free its place, tell all who wait for it.

    Args:
        state: the state, in which it is a lease or an orphan.
        lease: the job.
        outcome: how it ended.
        used: what the provider says that the whole job used; if None, nothing for a job that
            failed, and what was reserved for any other.
        why: for people.
    """
    if used is None:
        used = Usage() if outcome == "failed" else total(lease.wanted)
    parts = used.divide(lease.wanted)
    instructions: list[Instruction] = [Write(record_of(state, lease, outcome, parts, why))]
    accounts, trials = dict(state.accounts), dict(state.trials)
    for member, part in zip(lease.members, parts, strict=True):
        sweep, trial = member.request.sweep, member.request.trial
        account = accounts.get(sweep, Account())
        accounts[sweep] = replace(account, spent=account.spent + part)
        trials[sweep, trial] = trials.get((sweep, trial), Usage()) + part
    # Whoever asked for one of these steps meanwhile need not wait for a lease any more.
    steps = {member.request.submission for member in lease.members}
    late = [
        entry
        for entries in (state.waiting, state.parked)
        for (submission, _), entry in entries.items()
        if submission in steps
    ]
    told = [m for m in lease.members if m.request.holder not in lease.gone | {lease.holder}]
    instructions += [Over(entry.request, outcome, lease.job_id) for entry in (*told, *late)]
    keys = [entry.key for entry in late]
    state = drop(state, lease)._replace(
        accounts=accounts,
        trials=trials,
        waiting=without(state.waiting, *keys) if keys else state.waiting,
        parked=without(state.parked, *keys) if keys else state.parked,
    )
    for sweep in {member.request.sweep: None for member in lease.members}:
        if sweep in state.budgets:
            state, more = reconsider(state, sweep)
            instructions += more
    return state, instructions


def lapse(state: State) -> Step:
    """End every lease and every wait whose term is over."""
    now = state.clock.now
    if now < state.due:
        return state, []
    instructions: list[Instruction] = []
    for lease in [lease for lease in state.leases.values() if lease.expires_at <= now]:
        state = bereave(state, lease)
        instructions.append(Lost(lease))
    for entry in [e for e in state.waiting.values() if e.expires_at <= now]:
        state = state._replace(waiting=without(state.waiting, entry.key))
        instructions.append(Refuse(entry.request, "lapsed"))
    for entry in [e for e in state.parked.values() if e.expires_at <= now]:
        state = state._replace(parked=without(state.parked, entry.key))
        instructions.append(Refuse(entry.request, "lapsed"))
    return state, instructions


def forget(state: State, holder: str) -> State:
    """Take away all that a holder has or waits for, since it is no more."""
    waiting = [key for key in state.waiting if key[1] == holder]
    parked = [key for key in state.parked if key[1] == holder]
    state = state._replace(
        waiting=without(state.waiting, *waiting),
        parked=without(state.parked, *parked),
        leases={token: _less(lease, holder) for token, lease in state.leases.items()},
        orphans={token: _less(orphan, holder) for token, orphan in state.orphans.items()},
    )
    for lease in [lease for lease in state.leases.values() if lease.holder == holder]:
        state = bereave(state, lease)
    return state


def bereave(state: State, lease: Lease) -> State:
    """Take a lease from its holder.

    If nothing was submitted, its place is free, and the other members wait again. If something may
    have been, the job keeps its place, and what is reserved for it, until its end is known.
    """
    lease = _less(lease, lease.holder)
    if not lease.admitted:
        left = [m for m in lease.members if m.request.holder not in lease.gone]
        return come_back(drop(state, lease), left)
    if lease.job_id is None:
        state, lease = stamp(state, lease)
    # It is due at once, so that it is looked after in the same step.
    orphan = replace(lease, expires_at=state.clock.now)
    return drop(state, lease)._replace(orphans={**state.orphans, orphan.token: orphan})


def stamp(state: State, lease: Lease) -> tuple[State, Lease]:
    """Count a submission, at the latest time at which it can have been made.

    The state that is returned does not have the changed lease yet.
    """
    now = state.clock.now
    recent = [stamp for stamp in lease.stamps if state.is_recent(stamp)]
    return state._replace(stamps=(*state.stamps, now)), replace(lease, stamps=(*recent, now))


def drop(state: State, lease: Lease) -> State:
    """Free the place of a lease or an orphan."""
    leases, orphans = dict(state.leases), dict(state.orphans)
    leases.pop(lease.token, None)
    orphans.pop(lease.token, None)
    return state._replace(leases=leases, orphans=orphans)


def _less(lease: Lease, holder: str) -> Lease:
    if any(member.request.holder == holder for member in lease.members):
        return replace(lease, gone=lease.gone | {holder})
    return lease
