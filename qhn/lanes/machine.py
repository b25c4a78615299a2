"""The lane's state machine: a pure function from (state, event, time) to (state, instructions).

What it guarantees, whatever the order of events and whatever the clock does:

- There are never more than ``jobs_in_flight`` leases and orphans when a lease is granted, and never
  more than ``submissions_per_minute`` submissions in any minute. An orphan is a job that may
  be at the provider although its holder is lost. It keeps its place until its end is known.
- Nobody waits who could be served; and as soon as time alone can change that, the last instruction
  says when to wake.
- Tokens only grow, and a lease whose term is over admits nobody.
- Every job is in the ledger before its holder is told to submit, so that `qhn.lanes.rebuild` can
  make a state of it in which no job is forgotten.

What it cannot guarantee: a holder that is admitted, sleeps for longer than its term, and submits
only then may submit a job that another has taken up meanwhile. A holder must submit at once.
"""

from __future__ import annotations

import math
from dataclasses import replace

from qhn.lanes.ending import drop, forget, lapse, settle, stamp
from qhn.lanes.events import (
    Acquire,
    Admit,
    Admitted,
    Denied,
    Event,
    Gone,
    Instruction,
    Release,
    Renew,
    SetBudget,
    SetLimits,
    Settle,
    Submitted,
    Tick,
    Wake,
    Write,
)
from qhn.lanes.granting import grant_all
from qhn.lanes.queueing import Step, acquire, come_back, reconsider
from qhn.lanes.recording import record_of
from qhn.lanes.state import Lease, State


def step(state: State, event: Event, time: float) -> tuple[State, tuple[Instruction, ...]]:
    """What follows from an event.

    Args:
        state: the state before.
        event: what happened.
        time: seconds by the caller's clock, which may be set back or leap; see `Clock`.

    Returns:
        The state afterwards, and what to do, in this order.

    Raises:
        InvalidValueError: if the time is not finite.
    """
    now = state.clock.at(time)
    stamps, minute_s = state.stamps, state.limits.minute_s
    if stamps and stamps[0] + minute_s <= now.now:
        stamps = tuple(stamp for stamp in stamps if stamp + minute_s > now.now)
    state = state._replace(clock=now, stamps=stamps)
    # The event comes first: whoever asks again or renews is evidently there, even if its term has
    # just ended. Only `Admit` looks at the term itself, and lets nobody submit who is late.
    state, followed = _follow(state, event)
    state, ended = lapse(state)
    state, granted = grant_all(state)
    state = state._replace(due=_next_expiry(state))
    wake = _next_change(state)
    instructions = (*followed, *ended, *granted)
    if math.isfinite(wake):
        instructions = (*instructions, Wake(max(time, state.clock.shown_at(wake))))
    return state, instructions


def admits(state: State, token: int, time: float) -> bool:
    """Whether a lease stands at this time, so that its holder would be admitted."""
    lease = state.leases.get(token)
    return lease is not None and state.clock.at(time).now < lease.expires_at


def _follow(state: State, event: Event) -> Step:
    match event:
        case Acquire(request):
            return acquire(state, request)
        case Admit(token):
            return _admit(state, token)
        case Submitted(token, job_id):
            return _submitted(state, token, job_id)
        case Renew(token):
            state, lease = _held(state, token)
            return state, [Denied(token)] if lease is None else []
        case Release():
            return _release(state, event)
        case Settle():
            return _settle(state, event)
        case Gone(holder):
            return forget(state, holder), []
        case SetLimits(limits):
            return state._replace(limits=limits), []
        case SetBudget(sweep, budget):
            budgets = {name: other for name, other in state.budgets.items() if name != sweep}
            if budget is not None:
                budgets[sweep] = budget
            return reconsider(state._replace(budgets=budgets), sweep)
        case Tick():
            return state, []


def _admit(state: State, token: int) -> Step:
    lease = state.leases.get(token)
    if lease is None or lease.expires_at <= state.clock.now:
        return state, [Denied(token)]
    if lease.admitted:
        return state, [Admitted(lease)]
    lease = replace(lease, admitted=True, expires_at=state.clock.now + state.limits.term_s)
    state = state._replace(leases={**state.leases, token: lease})
    return state, [Write(record_of(state, lease)), Admitted(lease)]


def _submitted(state: State, token: int, job_id: str) -> Step:
    state, lease = _held(state, token)
    if lease is None or lease.job_id not in (None, job_id):
        return state, [Denied(token)]
    if lease.job_id == job_id:
        return state, []
    state, lease = stamp(state, replace(lease, admitted=True, job_id=job_id))
    state = state._replace(leases={**state.leases, token: lease})
    return state, [Write(record_of(state, lease))]


def _release(state: State, event: Release) -> Step:
    state, lease = _held(state, event.token)
    if lease is None:
        return state, [Denied(event.token)]
    if event.outcome == "unused":
        if lease.admitted:
            return settle(state, lease, "failed", None, event.why or "nothing was submitted")
        left = [m for m in lease.members if m.request.holder not in lease.gone | {lease.holder}]
        return come_back(drop(state, lease), left), []
    if lease.job_id is None:
        # A submission was attempted, and whatever came of it counts at the provider.
        state, lease = stamp(state, lease)
    return settle(state, lease, event.outcome, event.used, event.why)


def _settle(state: State, event: Settle) -> Step:
    for orphan in state.orphans.values():
        if orphan.submission == event.submission:
            if orphan.job_id is None:
                orphan = replace(orphan, job_id=event.job_id)
            return settle(state, orphan, event.outcome, event.used, event.why)
    return state, []


def _held(state: State, token: int) -> tuple[State, Lease | None]:
    """The lease with a token, renewed; an orphan too, since its last holder is evidently alive."""
    lease = state.leases.get(token) or state.orphans.get(token)
    if lease is None:
        return state, None
    renewed = replace(
        lease,
        expires_at=state.clock.now + state.limits.term_s,
        gone=lease.gone - {lease.holder},
    )
    others = drop(state, lease)
    return others._replace(leases={**others.leases, token: renewed}), renewed


def _next_expiry(state: State) -> float:
    return min(
        min((lease.expires_at for lease in state.places()), default=math.inf),
        min((entry.expires_at for entry in state.waiting.values()), default=math.inf),
        min((entry.expires_at for entry in state.parked.values()), default=math.inf),
    )


def _next_change(state: State) -> float:
    """The next time at which something changes by time alone."""
    due = state.due
    if (state.waiting or state.orphans) and state.stamps and not state.window_is_open:
        due = min(due, state.stamps[0] + state.limits.minute_s)
    return due
