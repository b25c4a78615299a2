"""How requests come into the queue and leave it, and which of them a budget keeps out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qhn.lanes.events import Grant, Instruction, Refuse
from qhn.lanes.sharing import is_at_work, room_for, seconds_had
from qhn.lanes.state import Account, Entry, Key, Request, State

Step = tuple[State, list[Instruction]]


def acquire(state: State, request: Request) -> Step:
    """Take a request, or repeat what was answered to the same one before."""
    for token, lease in state.leases.items():
        for member in lease.members:
            if member.key == (request.submission, request.holder):
                if lease.holder == request.holder:
                    lease = replace(lease, expires_at=state.clock.now + state.limits.term_s)
                    state = state._replace(leases={**state.leases, token: lease})
                return state, [Grant(member.request, lease)]
    entry = Entry(request, state.next_arrival, state.clock.now + state.limits.term_s)
    if (before := state.waiting.get(entry.key)) is not None:
        entry = replace(before, expires_at=entry.expires_at)
        return state._replace(waiting={**state.waiting, entry.key: entry}), []
    if (before := state.parked.get(entry.key)) is not None:
        entry = replace(before, expires_at=entry.expires_at)
        state = state._replace(parked={**state.parked, entry.key: entry})
        return state, [Refuse(before.request, "budget", waits=True)]
    return enter(state._replace(next_arrival=state.next_arrival + 1), entry)


def enter(state: State, entry: Entry) -> Step:
    """Let a request wait for a lease, or refuse it if its budget has no room for it."""
    if not _has_room(state, entry.request):
        return _refuse(state, entry)
    state = _join(state, entry.request.sweep)
    return state._replace(waiting=_in_order(state.waiting, entry)), []


def come_back(state: State, entries: list[Entry]) -> State:
    """Let requests wait again, in their old places, because their lease came to nothing."""
    waiting = state.waiting
    for entry in entries:
        fresh = replace(entry, expires_at=state.clock.now + state.limits.term_s)
        waiting = _in_order(waiting, fresh)
    return state._replace(waiting=waiting)


def reconsider(state: State, sweep: str) -> Step:
    """Refuse or admit the requests of a sweep anew, after its budget or its spending changed."""
    instructions: list[Instruction] = []
    for entry in [e for e in state.waiting.values() if e.request.sweep == sweep]:
        if not _has_room(state, entry.request):
            state, more = _refuse(state._replace(waiting=without(state.waiting, entry.key)), entry)
            instructions += more
    for entry in [e for e in state.parked.values() if e.request.sweep == sweep]:
        state = state._replace(parked=without(state.parked, entry.key))
        state, more = enter(state, entry)
        # Who waits for a budget has been told so, and is told only what is new.
        instructions += [refusal for refusal in more if entry.key not in state.parked]
    return state, instructions


def without(entries: Mapping[Key, Entry], *keys: Key) -> dict[Key, Entry]:
    """The entries but for these keys."""
    left = dict(entries)
    for key in keys:
        left.pop(key, None)
    return left


def _has_room(state: State, request: Request) -> bool:
    # What is in flight under the same id is reserved already; taking it up costs nothing more.
    return room_for(state, request) != "never" or any(
        lease.has(request.submission) for lease in state.places()
    )


def _refuse(state: State, entry: Entry) -> Step:
    waits = state.budgets[entry.request.sweep].when_spent == "wait"
    if waits:
        state = state._replace(parked={**state.parked, entry.key: entry})
    return state, [Refuse(entry.request, "budget", waits)]


def _join(state: State, sweep: str) -> State:
    """Let a sweep that was not at work start where the others are."""
    if is_at_work(state, sweep):
        return state
    behind = state.floor - seconds_had(state, [sweep])[sweep]
    if behind <= 0:
        return state
    # Otherwise a late sweep, or one that has paused, would have the lane for itself until it had
    # made up for all that the others have used meanwhile.
    account = state.accounts.get(sweep, Account())
    account = replace(account, head_start=account.head_start + behind)
    return state._replace(accounts={**state.accounts, sweep: account})


def _in_order(entries: Mapping[Key, Entry], entry: Entry) -> dict[Key, Entry]:
    grown = dict(entries)
    last = next(reversed(grown.values()), None)
    grown[entry.key] = entry
    if last is not None and last.arrival > entry.arrival:
        return dict(sorted(grown.items(), key=lambda item: item[1].arrival))
    return grown
