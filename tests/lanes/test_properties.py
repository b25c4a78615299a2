"""Whatever happens in whatever order: no limit is passed, nobody is forgotten, nothing is lost."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lane_strategies import BUDGETS, LIMITS, SWEEPS, TERM, TRIALS, USAGES
from memory_ledger import MemoryLedger, Place

from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Acquire,
    Admit,
    Admitted,
    Denied,
    Gone,
    Grant,
    Lost,
    Over,
    Refuse,
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
from qhn.lanes.limits import Limits
from qhn.lanes.machine import admits, step
from qhn.lanes.rebuild import rebuild
from qhn.lanes.sharing import room_for
from qhn.lanes.state import Request, State

EXAMPLES = 150
#: Seconds in which submissions are counted.
MINUTE_S = Limits().minute_s


class Lane(RuleBasedStateMachine):
    """Holders, a ledger and a clock around the machine; the provider is what a rule says it is."""

    @initialize(limits=LIMITS)
    def begin(self, limits):
        self.place = Place()
        self.ledger = MemoryLedger(self.place)
        claim = self.ledger.claim()
        self.time = 1.7e9
        self.state = rebuild([], self.time, claim=claim, limits=limits)
        self.steps = dict.fromkeys(TRIALS, 0)
        self.lives = dict.fromkeys(TRIALS, 0)
        self.pending: set[tuple[str, str]] = set()
        self.stamps: list[float] = []
        self.tokens: set[int] = set()
        self.newest = 0
        self.jobs = 0
        self.wake = None

    # What happens.

    @rule(trial=st.sampled_from(sorted(TRIALS)), seconds=st.sampled_from([0.1, 1.0, 3.0]))
    def acquire(self, trial, seconds):
        request = Request(
            f"{trial}-{self.steps[trial]}",
            f"{trial}.{self.lives[trial]}",
            TRIALS[trial],
            trial,
            Usage(10, seconds, seconds / 2),
        )
        self.pending.add((request.submission, request.holder))
        self.tell(Acquire(request))

    @rule(trial=st.sampled_from(sorted(TRIALS)), known=st.booleans())
    def start_a_job(self, trial, known):
        """What a trial does when nothing goes wrong, so that walks come far."""
        self.acquire(trial, 1.0)
        for lease in list(self.state.leases.values()):
            if lease.holder == f"{trial}.{self.lives[trial]}":
                self.tell(Admit(lease.token))
                if known and lease.job_id is None:
                    self.jobs += 1
                    self.tell(Submitted(lease.token, f"job {self.jobs}"))

    @rule(data=st.data())
    @precondition(lambda self: self.tokens)
    def admit(self, data):
        token = self.token(data)
        stands = admits(self.state, token, self.time)
        told = self.tell(Admit(token))
        assert (Denied(token) not in told) == stands
        assert any(isinstance(i, Admitted) and i.lease.token == token for i in told) == stands

    @rule(data=st.data())
    @precondition(lambda self: self.submitting)
    def submitted(self, data):
        self.jobs += 1
        token = data.draw(st.sampled_from(self.submitting))
        assert Denied(token) not in self.tell(Submitted(token, f"job {self.jobs}"))

    @rule(data=st.data())
    @precondition(lambda self: self.tokens)
    def renew(self, data):
        self.tell(Renew(self.token(data)))

    @rule(data=st.data(), outcome=st.sampled_from(["done", "failed"]), used=st.none() | USAGES)
    @precondition(lambda self: self.admitted)
    def release(self, data, outcome, used):
        self.tell(Release(data.draw(st.sampled_from(self.admitted)), outcome, used))

    @rule(data=st.data())
    @precondition(lambda self: self.tokens)
    def give_back(self, data):
        token = self.token(data)
        lease = self.state.leases.get(token)
        if lease is not None and lease.job_id is None:
            self.pending = {key for key in self.pending if key[1] != lease.holder}
            self.tell(Release(token, "unused"))

    @rule(data=st.data(), outcome=st.sampled_from(["done", "failed", "abandoned"]))
    @precondition(lambda self: self.state.orphans)
    def settle(self, data, outcome):
        orphan = data.draw(st.sampled_from(list(self.state.orphans.values())))
        self.tell(Settle(orphan.submission, outcome))

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def crash(self, trial):
        """A trial dies, and comes back as another holder."""
        holder = f"{trial}.{self.lives[trial]}"
        self.lives[trial] += 1
        self.pending = {key for key in self.pending if key[1] != holder}
        self.tell(Gone(holder))

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def crash_unnoticed(self, trial):
        self.lives[trial] += 1

    @rule(limits=LIMITS)
    def set_limits(self, limits):
        self.tell(SetLimits(limits))

    @rule(sweep=st.sampled_from(SWEEPS), budget=BUDGETS)
    def set_budget(self, sweep, budget):
        self.tell(SetBudget(sweep, budget))

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 13.0, TERM / 2, TERM, 3600.0]))
    def wait(self, seconds):
        self.time += seconds
        self.tell(Tick())

    @rule(seconds=st.sampled_from([0.01, 10.0, MINUTE_S, 1e5, 1.6e9]))
    def set_the_clock_back(self, seconds):
        before = self.state.clock.now
        self.time -= seconds
        self.tell(Tick())
        assert before <= self.state.clock.now <= before + 1e-5

    @rule()
    @precondition(lambda self: self.wake is not None)
    def sleep_until_woken(self):
        """Nothing at all happens before the wake, and something can at it."""
        middle = (self.time + self.wake) / 2
        if self.time < middle < self.wake:
            _, told = step(self.state, Tick(), middle)
            assert all(isinstance(i, Wake) for i in told), told
        before = self.wake
        self.time = max(self.time, self.wake)
        self.tell(Tick())
        assert self.wake is None or self.wake > before

    @rule()
    def the_broker_dies(self):
        """The next broker knows from the ledger all that must not be forgotten."""
        was = self.state
        old, self.ledger = self.ledger, MemoryLedger(self.place)
        claim = self.ledger.claim()
        self.state = rebuild(
            old.read(), self.time, claim=claim, limits=was.limits, budgets=was.budgets
        )
        jobs = {p.submission: p for p in was.places() if p.admitted}
        assert {p.submission for p in self.state.places()} == set(jobs)
        for place in self.state.places():
            other = jobs[place.submission]
            assert (place.token, place.holder, place.job_id, place.wanted) == (
                other.token,
                other.holder,
                other.job_id,
                other.wanted,
            )
        assert self.state.next_token > max([0, *self.tokens])
        assert {step: used.shots for step, used in self.state.trials.items()} == {
            step: used.shots for step, used in was.trials.items()
        }
        for sweep, account in was.accounts.items():
            rebuilt = self.state.accounts.get(sweep)
            spent = rebuilt.spent if rebuilt else Usage()
            assert spent.shots == account.spent.shots
            assert spent.qpu_seconds == pytest.approx(account.spent.qpu_seconds)
        # Each submission of the last minute is still counted, or is under way and counts so.
        under_way = sum(p.job_id is None for p in self.state.leases.values())
        assert len(self.state.stamps) + under_way >= len(
            [s for s in was.stamps if s + MINUTE_S > was.clock.at(self.time).now]
        )
        self.pending.clear()
        self.stamps = list(self.state.stamps)
        self.tell(Tick())

    # What the rules need.

    def token(self, data):
        return data.draw(st.sampled_from(sorted(self.tokens)[-8:]))

    @property
    def admitted(self):
        return [p.token for p in self.state.places() if p.admitted]

    @property
    def submitting(self):
        return [p.token for p in self.state.places() if p.admitted and p.job_id is None]

    def tell(self, event):
        before = self.state
        self.state, told = step(before, event, self.time)
        self.wake = None
        for place, instruction in enumerate(told):
            match instruction:
                case Write(record):
                    self.ledger.append(record)
                    self.stamps += [
                        self.state.clock.now for stamp in record.stamps if stamp >= self.time
                    ]
                case Grant(request, lease):
                    self.check_grant(before, lease)
                    assert any(member.request == request for member in lease.members)
                case Admitted(lease):
                    # It is in the ledger before it may be submitted.
                    assert self.place.records[lease.submission].token == lease.token
                case Refuse(request, why, waits):
                    key = request.submission, request.holder
                    if not waits:
                        self.pending.discard(key)
                    assert waits == (key in self.state.parked)
                    assert why == "lapsed" or room_for(self.state, request) == "never"
                case Over(request, _, _):
                    self.pending.discard((request.submission, request.holder))
                case Lost(lease):
                    assert lease.expires_at <= self.state.clock.now
                    assert lease.token not in self.state.leases
                    self.pending = {key for key in self.pending if key[1] != lease.holder}
                case Wake(at):
                    assert place == len(told) - 1
                    assert at >= self.time
                    self.wake = at
        self.go_on()
        return told

    def check_grant(self, before, lease):
        """A new lease has a new token, and passes no limit."""
        if lease.token in self.tokens:
            return
        assert lease.token > self.newest
        self.newest = lease.token
        self.tokens.add(lease.token)
        state, limits = self.state, self.state.limits
        if not lease.admitted:
            assert state.in_flight <= limits.jobs_in_flight
            assert 1 <= len(lease.members) <= limits.requests_per_job
        if limits.submissions_per_minute is not None and lease.job_id is None:
            under_way = sum(other.job_id is None for other in state.leases.values())
            assert under_way + len(state.stamps) <= limits.submissions_per_minute
        if lease.admitted:
            return
        for member in lease.members:
            budget = state.budgets.get(member.request.sweep)
            if budget is not None:
                assert budget.allows(self.committed(state, budget, member.request))

    @staticmethod
    def committed(state, budget, request):
        """All that was used and is reserved on the account of a request."""
        used = Usage()
        for (sweep, trial), part in state.trials.items():
            if sweep == request.sweep and (budget.per == "sweep" or trial == request.trial):
                used += part
        for place in state.places():
            for other in (member.request for member in place.members):
                same = budget.per == "sweep" or other.trial == request.trial
                if other.sweep == request.sweep and same:
                    used += other.wanted
        return used

    def go_on(self):
        # A trial whose job is over goes on to its next step, as it would with the samples.
        records = [record for record in self.place.records.values() if record.is_over]
        over = {share.submission for record in records for share in record.members}
        for trial, number in self.steps.items():
            self.steps[trial] += f"{trial}-{number}" in over
        self.pending = {key for key in self.pending if key[0] not in over}

    # What always holds.

    @invariant()
    def nobody_waits_who_could_be_served(self):
        state: State = self.state
        places = list(state.places())
        busy = {m.request.submission for p in places for m in p.members}
        if state.window_is_open and state.in_flight < state.limits.jobs_in_flight:
            for entry in state.waiting.values():
                free = entry.request.submission not in busy
                assert not (free and room_for(state, entry.request) == "now")
        for orphan in state.orphans.values():
            heirs = [m for m in orphan.members if m.request.holder not in orphan.gone]
            heirs += [e for e in state.waiting.values() if orphan.has(e.request.submission)]
            assert not heirs or (orphan.job_id is None and not state.window_is_open)

    @invariant()
    def whatever_ends_by_time_has_a_wake(self):
        ends = [p.expires_at for p in self.state.places()]
        ends += [e.expires_at for e in self.state.waiting.values()]
        ends += [e.expires_at for e in self.state.parked.values()]
        if ends:
            assert self.wake is not None
            assert self.wake <= math.nextafter(min(ends) - self.state.clock.ahead, math.inf) + 1e-6
            assert min(ends) > self.state.clock.now

    @invariant()
    def the_ledger_and_the_machine_know_the_same_jobs(self):
        open_jobs = {r.submission: r for r in self.place.records.values() if not r.is_over}
        places = {p.submission: p for p in self.state.places() if p.admitted}
        assert open_jobs.keys() == places.keys()
        for submission, record in open_jobs.items():
            place = places[submission]
            assert (record.token, record.job_id) == (place.token, place.job_id)
        spent = sum(r.used.shots for r in self.place.records.values())
        assert spent == sum(account.spent.shots for account in self.state.accounts.values())

    @invariant()
    def nobody_is_forgotten(self):
        known = {*self.state.waiting, *self.state.parked}
        known |= {m.key for p in self.state.places() for m in p.members}
        assert self.pending <= known

    @invariant()
    def nothing_is_negative(self):
        assert all(account.head_start >= 0 for account in self.state.accounts.values())
        assert self.state.floor >= 0
        assert self.state.clock.ahead >= 0
        assert list(self.state.stamps) == sorted(self.state.stamps)

    def teardown(self):
        """Everyone is served in the end, if holders do their part and budgets are lifted."""
        if not hasattr(self, "state"):
            return
        for sweep in SWEEPS:
            self.tell(SetBudget(sweep, None))
        for _ in range(200):
            for entry in list(self.state.waiting.values()):
                self.tell(Acquire(entry.request))
            for token in list(self.state.leases):
                self.tell(Admit(token))
                if token in self.state.leases:
                    self.tell(Release(token, "done"))
            for orphan in list(self.state.orphans.values()):
                self.tell(Settle(orphan.submission, "done"))
            if not self.state.waiting and not self.state.in_flight:
                break
            if self.wake is not None:
                self.time = max(self.time, self.wake)
            self.tell(Tick())
        assert not self.state.waiting
        assert not self.state.in_flight


def test_the_machine_holds_whatever_happens():
    run_state_machine_as_test(
        Lane, settings=settings(max_examples=EXAMPLES, stateful_step_count=60, deadline=None)
    )
