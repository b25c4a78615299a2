"""Random walks around the broker: holders and brokers die, ledgers fail, sweeps come and go.

The provider here is idempotent, and is the witness: no step may ever be in two of its jobs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from shelf import Shelf

from qhn.core.errors import StoreError
from qhn.lanes.amounts import Usage
from qhn.lanes.broker import Broker
from qhn.lanes.desk import Asking, Granted, Over, Waiting
from qhn.lanes.limits import Limits
from qhn.lanes.state import Request

TERM = 10.0
STORES = {"one": "store-a", "two": "store-a", "three": "store-b"}
TRIALS = {f"{sweep}{number}": sweep for sweep in STORES for number in range(2)}


@dataclass
class Holder:
    """One trial: its step, its process, and what it has in hand."""

    trial: str
    step: int = 0
    life: int = 0
    token: int | None = None
    job: str | None = None
    told: bool = False
    term: float = 0.0

    @property
    def name(self):
        return f"{self.trial}.{self.life}"

    @property
    def submission(self):
        return f"{self.trial}-{self.step}"

    def drop(self):
        self.token = self.job = None
        self.told = False


class Walk(RuleBasedStateMachine):
    @initialize(jobs=st.integers(1, 3), together=st.integers(1, 3))
    def begin(self, jobs, together):
        self.limits = Limits(jobs_in_flight=jobs, requests_per_job=together, term_s=TERM)
        self.now = 1.7e9
        self.shelves = defaultdict(Shelf)
        self.holders = {trial: Holder(trial) for trial in TRIALS}
        self.jobs: dict[str, tuple[bytes, ...]] = {}
        self.open()

    def open(self):
        self.broker = Broker("queue", lambda store, queue: self.shelves[store].place(), self.clock)

    def clock(self):
        return self.now

    def call(self, holder, method, *arguments):
        """A call to the broker; None if a ledger failed."""
        try:
            return getattr(self.broker, method)(*arguments)
        except StoreError:
            holder.drop()
            return None

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def ask(self, trial):
        holder = self.holders[trial]
        wanted = Usage(10, 1.0, 0.0)
        request = Request(holder.submission, holder.name, TRIALS[trial], trial, wanted)
        store = STORES[TRIALS[trial]]
        asking = Asking(request, holder.submission.encode(), store, self.limits)
        reply = self.call(holder, "ask", asking)
        if isinstance(reply, Over):
            assert reply.outcome == "done"
            # The samples of this very step are in the provider's job, at the place that is told.
            assert self.jobs[reply.job_id][reply.place] == holder.submission.encode()
            holder.drop()
            holder.step += 1
        elif isinstance(reply, Granted) and reply.leads:
            if reply.token != holder.token:
                holder.drop()
            holder.token = reply.token
            if reply.record is not None and reply.record.job_id is not None:
                holder.job = reply.record.job_id
        elif isinstance(reply, Waiting):
            holder.drop()
            if reply.chore is not None and reply.chore.job_id is not None:
                self.call(
                    holder, "settle", reply.chore.submission, "done", None, reply.chore.job_id
                )

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def submit(self, trial):
        holder = self.holders[trial]
        if holder.token is None or holder.job is not None:
            return
        admission = self.call(holder, "admit", holder.token, holder.name)
        if admission is None:
            holder.drop()
        elif None not in admission.parts:
            job = f"job of {admission.submission}"
            # The id of the submission makes it idempotent, and the content must be the same.
            assert self.jobs.setdefault(job, admission.parts) == admission.parts
            holder.job = job

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def tell(self, trial):
        holder = self.holders[trial]
        if holder.job is not None and not holder.told:
            holder.told = bool(
                self.call(holder, "submitted", holder.token, holder.name, holder.job)
            )
            if not holder.told:
                holder.drop()

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def finish(self, trial):
        holder = self.holders[trial]
        if holder.told:
            self.call(holder, "release", holder.token, holder.name, "done")
            holder.drop()

    @rule(trial=st.sampled_from(sorted(TRIALS)))
    def go_through(self, trial):
        """What a trial does when nothing goes wrong, so that walks come far."""
        self.ask(trial)
        self.submit(trial)
        self.tell(trial)
        self.finish(trial)

    @rule(trial=st.sampled_from(sorted(TRIALS)), noticed=st.booleans())
    def die(self, trial, noticed):
        holder = self.holders[trial]
        if noticed:
            self.call(holder, "gone", holder.name)
        holder.drop()
        holder.life += 1

    @rule()
    def the_broker_dies(self):
        for shelf in self.shelves.values():
            shelf.occupied = False
        self.open()

    @rule(
        store=st.sampled_from(sorted(set(STORES.values()))),
        when=st.sampled_from(["before", "after"]),
    )
    def a_ledger_will_fail(self, store, when):
        self.shelves[store].fails = when

    @rule(seconds=st.sampled_from([0.1, TERM / 2, TERM, 3 * TERM]))
    def wait(self, seconds):
        self.now += seconds
        wake = self.broker.wake_at
        if wake is not None and self.now >= wake:
            try:
                self.broker.wake()
            except StoreError:
                return

    @invariant()
    @precondition(lambda self: hasattr(self, "jobs"))
    def no_step_is_in_two_jobs(self):
        steps = Counter(part for parts in self.jobs.values() for part in parts)
        assert max(steps.values(), default=0) <= 1

    @invariant()
    @precondition(lambda self: hasattr(self, "jobs"))
    def every_job_is_written_down(self):
        written = {
            record.submission
            for shelf in self.shelves.values()
            for record in shelf.records.records.values()
        }
        assert {job.removeprefix("job of ") for job in self.jobs} <= written

    def teardown(self):
        """Whatever has happened: once nothing fails any more, everybody is served."""
        if not hasattr(self, "jobs"):
            return
        for shelf in self.shelves.values():
            shelf.fails = None
        goal = {trial: holder.step + 1 for trial, holder in self.holders.items()}
        for _ in range(200):
            for trial in TRIALS:
                self.go_through(trial)
                self.no_step_is_in_two_jobs()
            if all(self.holders[trial].step >= step for trial, step in goal.items()):
                return
            self.wait(TERM / 2)
        raise AssertionError(f"somebody is not served: {self.holders}")


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestWalks = Walk.TestCase
