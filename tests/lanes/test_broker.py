"""The broker of a queue, call by call."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from shelf import Shelf

from qhn.core.errors import DamagedError, FencedError, StoreError
from qhn.lanes.amounts import Usage
from qhn.lanes.broker import Broker
from qhn.lanes.desk import Asking, Granted, Over, Refused, Waiting, account, sweep_of
from qhn.lanes.limits import Budget, Limits
from qhn.lanes.local import LocalDesk
from qhn.lanes.state import Request
from qhn.lanes.tenants import ABSENCE_S

LIMITS = Limits(jobs_in_flight=1, requests_per_job=2, term_s=10.0)


class Queue:
    """Brokers of one queue, one after another, over the same stores."""

    def __init__(self):
        self.now = 1.7e9
        self.shelves = defaultdict(Shelf)
        self.told = []
        self.restart()

    def restart(self):
        for shelf in self.shelves.values():
            shelf.occupied = False
        self.broker = Broker(
            "queue",
            lambda store, queue: self.shelves[store].place(),
            lambda: self.now,
            self.told.append,
        )

    def ask(self, trial, store="a", sweep=None, limits=LIMITS, budget=None, life=0, step=0):
        request = Request(
            f"{trial}-{step}", f"{trial}.{life}", sweep or f"s@{store}", trial, Usage(10, 1.0, 2.0)
        )
        return self.broker.ask(Asking(request, trial.encode(), store, limits, budget))

    def submit(self, trial, job="job 1", **options):
        """Lead a job as far as its id; the token."""
        reply = self.ask(trial, **options)
        assert reply.leads
        self.admission = self.broker.admit(reply.token, f"{trial}.0")
        assert self.broker.submitted(reply.token, f"{trial}.0", job)
        return reply.token

    @property
    def in_flight(self):
        return self.broker.state.in_flight


@pytest.fixture
def queue():
    return Queue()


class TestGrants:
    def test_a_leader_gets_the_work_of_all(self, queue):
        queue.submit("x")
        assert isinstance(queue.ask("y"), Waiting)
        assert isinstance(queue.ask("z"), Waiting)
        assert queue.broker.release(queue.ask("x").token, "x.0", "done")
        # Whoever asked has its answer; only those who wait must hear that there is one.
        assert queue.told == ["y.0", "z.0"]
        leader, member = queue.ask("y"), queue.ask("z")
        assert (leader.leads, member.leads) == (True, False)
        assert (leader.place, member.place) == (0, 1)
        assert queue.broker.admit(leader.token, "y.0").parts == (b"y", b"z")

    def test_a_step_that_is_over_is_over_for_everybody_who_asks(self, queue):
        token = queue.submit("x")
        assert queue.broker.release(token, "x.0", "done", Usage(9, 0.5, 1.0))
        over = queue.ask("x", life=1)
        assert over == Over("done", "job 1", 0, Usage(9, 0.5, 1.0), 1)
        queue.restart()
        assert queue.ask("x", life=2) == over

    def test_a_token_is_of_no_use_to_another_holder(self, queue):
        token = queue.ask("x").token
        assert queue.broker.admit(token, "y.0") is None
        assert not queue.broker.submitted(token, "y.0", "job 1")
        assert not queue.broker.renew(token, "y.0")
        assert not queue.broker.release(token, "y.0", "done")
        assert queue.broker.admit(token, "x.0") is not None

    def test_whoever_waits_finds_out_what_became_of_a_lost_job(self, queue):
        queue.submit("x")
        queue.broker.gone("x.0")
        chore = queue.ask("y").chore
        assert (chore.submission, chore.job_id) == ("x-0", "job 1")
        assert queue.ask("z").chore is None
        assert queue.broker.settle("x-0", "done", None, "job 1")
        assert not queue.broker.settle("x-0", "done", None, "job 1")
        assert queue.ask("y").leads
        assert queue.ask("x", life=1).outcome == "done"

    def test_a_spent_budget_is_told(self, queue):
        budget = Budget(shots=10)
        token = queue.submit("x", budget=budget)
        queue.broker.release(token, "x.0", "done")
        refused = queue.ask("x", step=1, budget=budget)
        assert refused == Refused(waits=False, spent=Usage(10, 1.0, 2.0))
        assert queue.ask("x", step=1, budget=Budget(shots=20)).leads


class TestLedgers:
    def test_after_a_write_that_may_have_happened_the_ledger_decides(self, queue):
        token = queue.ask("x").token
        queue.shelves["a"].fails = "after"
        with pytest.raises(StoreError, match="the disk was lost"):
            queue.broker.admit(token, "x.0")
        # It may be submitted under this record, so that it keeps its place without its holder.
        queue.broker.gone("x.0")
        assert queue.in_flight == 1
        assert isinstance(queue.ask("y"), Waiting)

    def test_a_write_that_has_not_happened_frees_the_place(self, queue):
        token = queue.ask("x").token
        queue.shelves["a"].fails = "before"
        with pytest.raises(StoreError, match="no space"):
            queue.broker.admit(token, "x.0")
        assert queue.broker.admit(token, "x.0") is None
        assert queue.ask("x").token > token

    def test_each_store_of_a_shared_job_knows_of_it(self, queue):
        blocker = queue.submit("x")
        # The store that comes in costs nobody a job that is under way.
        queue.ask("z", store="b")
        queue.ask("y", store="a")
        assert queue.broker.release(blocker, "x.0", "done")
        leader, member = queue.ask("z", store="b"), queue.ask("y", store="a")
        assert (leader.leads, member.leads, leader.token) == (True, False, member.token)
        queue.broker.admit(leader.token, "z.0")
        queue.broker.submitted(leader.token, "z.0", "job 2")
        queue.broker.release(leader.token, "z.0", "done")
        for trial, store, place in (("z", "b", 0), ("y", "a", 1)):
            queue.restart()
            over = queue.ask(trial, store=store, life=1)
            assert (over.outcome, over.job_id, over.place) == ("done", "job 2", place)

    def test_a_ledger_that_was_left_behind_catches_up(self, queue):
        self.test_each_store_of_a_shared_job_knows_of_it(queue)
        records = queue.shelves["b"].records.records
        done = records["z-0"]
        records["z-0"] = replace(
            done, state="submitted", members=tuple(replace(s, used=None) for s in done.members)
        )
        queue.restart()
        queue.ask("p", store="a")
        queue.ask("q", store="b")
        assert records["z-0"] == done

    def test_a_store_that_comes_in_keeps_jobs_and_no_promises(self, queue):
        queue.submit("x", limits=replace(LIMITS, jobs_in_flight=2))
        wide = replace(LIMITS, jobs_in_flight=2)
        held, promised = queue.ask("x", limits=wide), queue.ask("y", limits=wide)
        assert promised.leads
        queue.ask("z", store="b", limits=wide)
        assert queue.broker.renew(held.token, "x.0")
        assert queue.broker.admit(promised.token, "y.0") is None
        again = queue.ask("y", limits=wide)
        assert isinstance(again, Waiting | Granted)
        assert queue.in_flight == 2

    def test_a_ledger_that_cannot_be_read_hurts_its_own_sweeps_alone(self, queue):
        token = queue.submit("x")
        bad = queue.shelves["b"].place()
        bad.read = lambda: (_ for _ in ()).throw(DamagedError("lanes/queue/jobs/z.json", "cut off"))
        queue.shelves["b"].place = lambda: bad
        with pytest.raises(DamagedError):
            queue.ask("z", store="b", limits=replace(LIMITS, requests_per_job=1))
        assert not queue.shelves["b"].occupied
        assert queue.broker.renew(token, "x.0")
        assert queue.broker.state.limits.requests_per_job == 2

    def test_a_second_broker_is_kept_away(self, queue):
        queue.ask("x")
        other = Broker("queue", lambda s, q: queue.shelves[s].place(), lambda: queue.now)
        queue.broker, first = other, queue.broker
        with pytest.raises(StoreError, match="another broker is there"):
            queue.ask("y")
        first.close()
        assert queue.ask("y").leads

    def test_a_broker_that_has_left_goes_on_when_it_is_asked(self, queue):
        token = queue.submit("x")
        queue.broker.close()
        assert not queue.shelves["a"].occupied
        assert queue.broker.wake_at is None
        assert not queue.broker.renew(token, "x.0")
        assert queue.ask("x").token == token
        assert queue.broker.renew(token, "x.0")

    def test_a_broker_whose_ledger_was_claimed_does_nothing_more(self, queue):
        token = queue.ask("x").token
        queue.shelves["a"].place().claim()
        for _ in range(2):
            with pytest.raises(FencedError):
                queue.broker.admit(token, "x.0")
        with pytest.raises(FencedError):
            queue.ask("x")

    def test_a_store_whose_sweeps_are_gone_is_given_up(self, queue):
        queue.broker.release(queue.submit("x"), "x.0", "done")
        queue.now += ABSENCE_S + 1
        queue.ask("z", store="b")
        assert not queue.shelves["a"].occupied
        assert queue.ask("x", store="a").outcome == "done"


class TestLimits:
    def test_the_least_hold_and_both_sweeps_are_told_once(self, queue):
        wide = Limits(jobs_in_flight=5, requests_per_job=1, term_s=20.0)
        assert queue.ask("x", sweep="wide@a", limits=wide).notes == ()
        slow = replace(wide, jobs_in_flight=1, submissions_per_minute=9)
        assert queue.ask("y", sweep="slow@a", limits=slow).notes == ()
        (note,) = queue.ask("x", sweep="wide@a", limits=wide).notes
        assert note == (
            "several sweeps share the queue of this lane, and the least holds: jobs_in_flight is 1 "
            "and not 5, as sweep 'slow' asks; submissions_per_minute is 9 and not None, as sweep "
            "'slow' asks"
        )
        assert queue.ask("x", sweep="wide@a", limits=wide).notes == ()
        queue.now += ABSENCE_S + 1
        assert queue.ask("x", sweep="wide@a", limits=wide).notes == ()
        # By now its request is too old, and with it the last that was known of the other sweep.
        (note,) = queue.ask("x", sweep="wide@a", limits=wide).notes
        assert "hold again" in note
        assert queue.broker.state.limits.jobs_in_flight == 5

    def test_sweeps_of_one_name_in_two_stores_have_accounts_of_their_own(self, queue):
        names = [account("moons", store) for store in ("5a0e", "77f1")]
        assert len(set(names)) == 2
        assert {sweep_of(name) for name in names} == {"moons"}


def test_a_local_desk_sleeps_until_something_can_change():
    now, slept = [1.7e9], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    shelf = Shelf()
    desk = LocalDesk("queue", lambda s, q: shelf.place(), lambda: now[0], sleep)
    limits = Limits(jobs_in_flight=1, term_s=2.0)

    def asking(trial):
        request = Request(f"{trial}-0", trial, "s@a", trial, Usage(1, 1.0, 0.0))
        return Asking(request, b"", "a", limits)

    assert desk.ask(asking("x"), 5.0).leads
    # x never comes back, and its lease ends after its term.
    assert desk.ask(asking("y"), 5.0).leads
    assert slept == [pytest.approx(2.0)]
