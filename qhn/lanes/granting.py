"""How leases are granted: first for jobs that somebody must look after, then for new ones."""

from __future__ import annotations

from dataclasses import replace

from qhn.lanes.events import Grant, Instruction, Orphaned, Write
from qhn.lanes.queueing import Step, without
from qhn.lanes.recording import record_of
from qhn.lanes.sharing import next_entry, seconds_had
from qhn.lanes.state import Entry, Lease, State


def grant_all(state: State) -> Step:
    """Grant whatever can be granted now. Afterwards nobody waits who could be served."""
    instructions: list[Instruction] = []
    for orphan in list(state.orphans.values()):
        state, more = _look_after(state, orphan)
        instructions += more
    while state.in_flight < state.limits.jobs_in_flight and state.window_is_open:
        first = next_entry(state)
        if first is None:
            break
        state, lease = _grant(state, first)
        instructions += [Grant(member.request, lease) for member in lease.members]
    return state, instructions


def _grant(state: State, first: Entry) -> tuple[State, Lease]:
    """Grant a lease to one request, and let others that wait go with it."""
    lease = Lease(
        token=state.next_token,
        submission=first.request.submission,
        holder=first.request.holder,
        members=(first,),
        expires_at=state.clock.now + state.limits.term_s,
    )
    sweep = first.request.sweep
    # Whoever is served has had the least, so this is where a newcomer starts.
    floor = max(state.floor, seconds_had(state, [sweep])[sweep])
    state = state._replace(
        next_token=state.next_token + 1,
        floor=floor,
        leases={**state.leases, lease.token: lease},
        waiting=without(state.waiting, first.key),
    )
    while len(lease.members) < state.limits.requests_per_job:
        # What the lease has reserved so far counts, both for fairness and for budgets.
        further = next_entry(state)
        if further is None:
            break
        lease = replace(lease, members=(*lease.members, further))
        state = state._replace(
            leases={**state.leases, lease.token: lease},
            waiting=without(state.waiting, further.key),
        )
    return state, lease


def _look_after(state: State, orphan: Lease) -> Step:
    """Give a job that has lost its holder to a member that is left, or ask what became of it."""
    now, term = state.clock.now, state.limits.term_s
    heir = _heir(state, orphan)
    # Without a job id the heir may have to submit again, which counts as a submission.
    if heir is not None and (orphan.job_id is not None or state.window_is_open):
        holder = heir.request.holder
        members = tuple(_passed_on(member, heir) for member in orphan.members)
        lease = replace(
            orphan,
            token=state.next_token,
            holder=holder,
            members=members,
            expires_at=now + term,
            gone=orphan.gone - {holder},
        )
        orphans = dict(state.orphans)
        del orphans[orphan.token]
        state = state._replace(
            next_token=state.next_token + 1,
            orphans=orphans,
            leases={**state.leases, lease.token: lease},
            waiting=without(state.waiting, heir.key),
        )
        told = [Grant(m.request, lease) for m in members if m.request.holder == holder]
        return state, [Write(record_of(state, lease)), *told]
    if orphan.expires_at > now:
        return state, []
    later = replace(orphan, expires_at=now + term)
    state = state._replace(orphans={**state.orphans, later.token: later})
    return state, [Orphaned(later)] if heir is None else []


def _heir(state: State, orphan: Lease) -> Entry | None:
    """Who takes the job up: a member that is left, or one that was started again."""
    for member in orphan.members:
        if member.request.holder not in orphan.gone:
            return member
    return next((e for e in state.waiting.values() if orphan.has(e.request.submission)), None)


def _passed_on(member: Entry, heir: Entry) -> Entry:
    """A member as it is once the heir has taken its place, if the heir is after the same step."""
    if member.request.submission != heir.request.submission:
        return member
    # Only the holder changes. Whose account it is on, and what is reserved, was settled when the
    # job went out, even if the heir belongs to another sweep or would want more.
    return replace(member, request=replace(member.request, holder=heir.request.holder))
