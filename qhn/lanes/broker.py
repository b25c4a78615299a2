"""The broker of one queue: it carries out what the machine of `qhn.lanes.machine` decides.

It has no process, no clock and no store of its own: a shell around it calls it, hands it the clock,
and wakes it. Every call that it gets may be repeated, and whatever it forgets when it dies is asked
again by those who wait: what must not be forgotten is in the ledgers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from qhn.core.errors import FencedError, StoreError
from qhn.lanes.amounts import Usage
from qhn.lanes.archive import Archive
from qhn.lanes.desk import (
    Admission,
    Asking,
    Chore,
    Granted,
    OpenPlace,
    Refused,
    Reply,
    Waiting,
    trial_of,
)
from qhn.lanes.events import (
    Acquire,
    Admit,
    Denied,
    Event,
    Gone,
    Grant,
    Instruction,
    Orphaned,
    Over,
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
from qhn.lanes.ledger import Outcome
from qhn.lanes.machine import step
from qhn.lanes.rebuild import rebuild
from qhn.lanes.state import Account, Lease, Request, State
from qhn.lanes.tenants import Tenants


class Broker:
    """The broker of one queue; see `qhn.lanes.desk.Desk` for its calls.

    Args:
        queue: the name of the queue.
        open_place: opens the part of a store that belongs to the queue.
        clock: gives the time, seconds since 1970.
        tell: called with the name of each holder for whom something has changed, so that it asks
            again at once. It may be lost; holders ask again anyway.

    Attributes:
        wake_at: when `wake` must be called, by the clock; None if nothing changes by time alone.

    Raises:
        FencedError: from every call, once another broker has claimed a ledger of this queue. This
            broker is of no use any more.
        StoreError: from every call that needs a ledger which cannot be used. What the call wanted
            has not happened, or is found out when the ledgers can be read again.
    """

    def __init__(
        self,
        queue: str,
        open_place: OpenPlace,
        clock: Callable[[], float],
        tell: Callable[[str], None] = lambda holder: None,
    ) -> None:
        self.wake_at: float | None = None
        self._clock = clock
        self._tell = tell
        self._archive = Archive(queue, open_place)
        self._tenants = Tenants()
        self._parts: dict[str, bytes] = {}
        self._chores: dict[int, Chore] = {}
        # Holders in whose place others have come.
        self._succeeded: set[str] = set()
        # None if it must be made from the ledgers.
        self._state: State | None = None
        # Why it may do nothing more.
        self._end: FencedError | None = None

    def ask(self, asking: Asking, wait_s: float = 0.0, known: int | None = None) -> Reply:
        """See `Desk.ask`. It replies at once, whatever it is told about waiting."""
        self._enter(asking)
        request, notes = asking.request, self._tenants.notes_for(asking.request.sweep)
        end = self._archive.end_of(request.submission)
        if end is None:
            for holder in self._predecessors(request):
                self._succeeded.add(holder)
                self._do(Gone(holder))
            # Only now: each event may make the broker forget what belongs to no step that the
            # machine knows, and it does not know this one before it is asked for.
            self._parts[request.submission] = asking.part
            self._archive.belongs(request.submission, asking.store)
            self._do(Acquire(request), but=request.holder)
            end = self._archive.end_of(request.submission)
        if end is not None:
            return end
        return self._reply(request, notes)

    def _predecessors(self, request: Request) -> set[str]:
        """The holders in whose place the one that asks has come.

        A trial of a sweep is in one process at a time, so a new one shows that the earlier one is
        dead. Without this, what it holds would keep its place in the lane until its term ends.
        If the earlier one lives after all, it takes nothing back: otherwise the two would take one
        job from each other for as long as it runs.
        """
        if request.holder in self._succeeded:
            return set()
        state, trial = self._present(), (request.sweep, request.trial)
        entries = [*state.waiting.values(), *state.parked.values()]
        entries += [member for lease in state.leases.values() for member in lease.members]
        # In a state made from the ledgers, all members of a job have the name of its leader.
        return {
            entry.request.holder
            for entry in entries
            if entry.request.holder != request.holder
            and (entry.request.sweep, entry.request.trial) == trial
            and trial_of(entry.request.holder) == request.trial
        }

    def _reply(self, request: Request, notes: tuple[str, ...]) -> Reply:
        state, key = self._present(), (request.submission, request.holder)
        for lease in state.leases.values():
            keys = [member.key for member in lease.members]
            if key in keys:
                return Granted(
                    token=lease.token,
                    submission=lease.submission,
                    leads=lease.holder == request.holder,
                    place=keys.index(key),
                    record=self._archive.record_of(lease.submission),
                    term_s=state.limits.term_s,
                    notes=notes,
                )
        if key in state.waiting:
            return Waiting(notes=notes, chore=self._next_chore(state))
        spent = state.accounts.get(request.sweep, Account()).spent
        return Refused(waits=key in state.parked, spent=spent, notes=notes)

    def admit(self, token: int, holder: str) -> Admission | None:
        """See `Desk.admit`."""
        lease = self._lease(token, holder)
        if lease is None or self._denies(Admit(token)):
            return None
        steps = [member.request.submission for member in lease.members]
        return Admission(lease.submission, tuple(self._parts.get(step) for step in steps))

    def submitted(self, token: int, holder: str, job_id: str) -> bool:
        """See `Desk.submitted`."""
        return self._has(token, holder) and not self._denies(Submitted(token, job_id))

    def renew(self, token: int, holder: str) -> bool:
        """See `Desk.renew`."""
        return self._has(token, holder) and not self._denies(Renew(token))

    def release(
        self,
        token: int,
        holder: str,
        outcome: Literal["done", "failed", "unused"],
        used: Usage | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.release`."""
        event = Release(token, outcome, used, why)
        return self._has(token, holder) and not self._denies(event)

    def settle(
        self,
        submission: str,
        outcome: Outcome,
        used: Usage | None = None,
        job_id: str | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.settle`."""
        orphans = self._present().orphans.values()
        there = any(orphan.submission == submission for orphan in orphans)
        if there:
            self._do(Settle(submission, outcome, used, job_id, why))
        return there

    def gone(self, holder: str) -> None:
        """See `Desk.gone`."""
        self._do(Gone(holder))

    def wake(self) -> None:
        """Look what has changed by time alone. To be called at `wake_at`."""
        if self._state is not None:
            self._do(Tick())

    @property
    def state(self) -> State:
        """What the machine knows now. It may have to be made from the ledgers."""
        return self._present()

    def close(self) -> None:
        """Let another broker take over. If it is asked again, it reads the ledgers anew."""
        self._archive.leave()
        self._state = None
        self.wake_at = None

    def _enter(self, asking: Asking) -> None:
        """Know the sweep that asks, and its store."""
        now, account, store = self._clock(), asking.request.sweep, asking.store
        is_new = store not in self._archive
        if is_new:
            self._leave_the_absent(now)
            self._archive.enter(store)
            # What is in flight is in the ledgers. Whoever waits, or holds a lease with which it was
            # not admitted yet, asks again.
            self._state = None
        self._tenants.enter(account, asking.limits, asking.budget, store, now)
        try:
            state = self._present()
        except StoreError:
            if is_new:
                # A ledger that cannot be read keeps its own sweeps from working, and no others.
                self._tenants.leave(account)
                self._archive.leave([store])
            raise
        self._tenants.forget(now, _at_work(state))
        if state.limits != self._tenants.limits:
            self._do(SetLimits(self._tenants.limits))
        if state.budgets.get(account) != asking.budget:
            self._do(SetBudget(account, asking.budget))

    def _next_chore(self, state: State) -> Chore | None:
        """A job to find out about. Each is handed out once in a term, as the machine wants it."""
        while self._chores:
            token = next(iter(self._chores))
            chore = self._chores.pop(token)
            if token in state.orphans:
                return chore
        return None

    def _leave_the_absent(self, now: float) -> None:
        """Give up stores whose sweeps are gone. They may have been deleted since."""
        if self._state is None:
            return
        at_work = _at_work(self._state)
        self._tenants.forget(now, at_work)
        if absent := self._archive.stores - self._tenants.stores():
            self._archive.leave(absent)

    def _present(self) -> State:
        """The state, made from the ledgers if it was lost."""
        if self._end is not None:
            raise self._end
        if self._state is None:
            claim, records = self._archive.load()
            self._chores.clear()
            self._state = rebuild(
                records,
                self._clock(),
                claim=claim,
                limits=self._tenants.limits,
                budgets=self._tenants.budgets,
            )
            self._do(Tick())
        return self._state

    def _do(self, event: Event, but: str | None = None) -> tuple[Instruction, ...]:
        """Let the machine decide about an event, and carry out what it says, in its order.

        Args:
            event: what has happened.
            but: a holder that need not be told what has changed, since it gets the answer.
        """
        state, instructions = step(self._present(), event, self._clock())
        self.wake_at = None
        for instruction in instructions:
            match instruction:
                case Write(record):
                    try:
                        self._archive.write(record)
                    except Exception as error:
                        # Nobody knows whether it was written, so that neither the old state nor the
                        # new one can be trusted. The ledgers decide, once they can be read.
                        self._state = None
                        if isinstance(error, FencedError):
                            self._end = error
                        raise
                case Orphaned(lease):
                    self._chores[lease.token] = Chore(lease.submission, lease.job_id, lease.token)
                case Wake(at):
                    self.wake_at = at
        self._state = state
        for instruction in instructions:
            if isinstance(instruction, Grant | Over) and instruction.request.holder != but:
                self._tell(instruction.request.holder)
        self._forget_parts(state)
        return instructions

    def _denies(self, event: Admit | Submitted | Renew | Release) -> bool:
        return Denied(event.token) in self._do(event)

    def _has(self, token: int, holder: str) -> bool:
        return self._lease(token, holder) is not None

    def _lease(self, token: int, holder: str) -> Lease | None:
        """The job with a token, if it is this holder's.

        A token alone is not enough: a broker that could not read the ledger of one store may have
        given it, unrecorded, to another holder.
        """
        state = self._present()
        lease = state.leases.get(token) or state.orphans.get(token)
        return lease if lease is not None and lease.holder == holder else None

    def _forget_parts(self, state: State) -> None:
        # Not after each event, since it looks at everything.
        if len(self._parts) < 64 + 2 * (len(state.waiting) + len(state.parked) + state.in_flight):
            return
        needed = {submission for submission, _ in (*state.waiting, *state.parked)}
        needed |= {m.request.submission for lease in state.places() for m in lease.members}
        self._parts = {step: part for step, part in self._parts.items() if step in needed}
        self._archive.retain(needed)
        tokens = state.orphans.keys()
        self._chores = {token: chore for token, chore in self._chores.items() if token in tokens}


def _at_work(state: State) -> set[str]:
    """Accounts that wait for something or have something in flight."""
    entries = (*state.waiting.values(), *state.parked.values())
    members = (member for lease in state.places() for member in lease.members)
    return {entry.request.sweep for entry in (*entries, *members)}
