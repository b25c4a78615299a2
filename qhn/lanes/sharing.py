"""Whose turn it is, and whether a budget has room.

The sweep with the least QPU seconds comes first, those reserved for jobs in flight among them.
Within a sweep, first come is first served.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Literal

from qhn.lanes.amounts import Usage, total
from qhn.lanes.limits import Budget
from qhn.lanes.state import Account, Entry, Request, State

Room = Literal["now", "later", "never"]


def next_entry(state: State) -> Entry | None:
    """The request that is served next; None if nobody can be served at present.

    A request waits while a job with the same submission id is in flight, so that no step is paid
    for twice, and while its budget has room only if jobs in flight turn out cheaper.
    """
    if not state.waiting:
        return None
    busy = {m.request.submission for lease in state.places() for m in lease.members}
    firsts: dict[str, Entry] = {}
    for entry in state.waiting.values():
        request = entry.request
        if request.sweep in firsts or request.submission in busy:
            continue
        if room_for(state, request) == "now":
            firsts[request.sweep] = entry
    if not firsts:
        return None
    had = seconds_had(state, firsts)
    return min(firsts.values(), key=lambda entry: (had[entry.request.sweep], entry.arrival))


def seconds_had(state: State, sweeps: Collection[str]) -> Mapping[str, float]:
    """The QPU seconds of each of these sweeps: used, reserved and head start."""
    had: dict[str, float] = {}
    for sweep in sweeps:
        account = state.accounts.get(sweep, Account())
        had[sweep] = account.head_start + account.spent.qpu_seconds
    reserved: dict[str, float] = defaultdict(float)
    for lease in state.places():
        for member in lease.members:
            reserved[member.request.sweep] += member.request.wanted.qpu_seconds
    return {sweep: seconds + reserved[sweep] for sweep, seconds in had.items()}


def is_at_work(state: State, sweep: str) -> bool:
    """Whether a sweep waits for a lease or holds one."""
    return any(entry.request.sweep == sweep for entry in state.waiting.values()) or any(
        member.request.sweep == sweep for lease in state.leases.values() for member in lease.members
    )


def room_for(state: State, request: Request) -> Room:
    """Whether a budget has room for a request.

    Returns:
        ``now``; ``later`` if it may have, once jobs in flight turn out cheaper than expected;
        ``never`` if it has not, unless it is raised.
    """
    budget = state.budgets.get(request.sweep)
    if budget is None:
        return "now"
    spent = _spent(state, budget, request) + request.wanted
    if not budget.allows(spent):
        return "never"
    reserved = total(
        member.request.wanted
        for lease in state.places()
        for member in lease.members
        if _same_account(budget, request, member.request)
    )
    return "now" if budget.allows(spent + reserved) else "later"


def _spent(state: State, budget: Budget, request: Request) -> Usage:
    if budget.per == "trial":
        return state.trials.get((request.sweep, request.trial), Usage())
    return state.accounts.get(request.sweep, Account()).spent


def _same_account(budget: Budget, one: Request, other: Request) -> bool:
    same_trial = one.trial == other.trial or budget.per == "sweep"
    return one.sweep == other.sweep and same_trial
