"""A trial that starts again after its process died, at once and not only when its lease ends."""

from __future__ import annotations

import pytest

from qhn.lanes.amounts import Usage
from qhn.lanes.broker import Broker
from qhn.lanes.desk import Asking, Granted, Waiting, holder_of
from qhn.lanes.limits import Limits
from qhn.lanes.state import Request
from qhn.sweeps.store.lane_place import open_place

LIMITS = Limits(jobs_in_flight=1, requests_per_job=2, term_s=60.0)


class Queue:
    """Asks a broker for the first steps of trials, in any of their processes."""

    def __init__(self, store):
        self.store = store
        self.open()

    def open(self):
        self.broker = Broker("qpu", open_place, lambda: 1.7e9)

    def ask(self, trial, life, sweep="a", limits=LIMITS):
        holder = holder_of(trial, f"process-{life}")
        request = Request(f"qhn-s-{trial}-0-0", holder, sweep, trial, Usage(10, 1.0, 0.0))
        return self.broker.ask(Asking(request, b"", self.store, limits))

    def submit(self, trial, life, job_id):
        granted = self.ask(trial, life)
        holder = holder_of(trial, f"process-{life}")
        assert self.broker.admit(granted.token, holder) is not None
        assert self.broker.submitted(granted.token, holder, job_id)
        return granted


@pytest.fixture
def queue(tmp_path):
    asking = Queue(f"memory://{tmp_path}")
    yield asking
    asking.broker.close()


def test_the_next_process_takes_up_the_job_of_the_one_before(queue):
    first = queue.submit("t1", 1, "job-1")
    again = queue.ask("t1", 2)
    assert isinstance(again, Granted) and again.leads
    assert again.token > first.token
    assert again.record.job_id == "job-1"
    # The earlier process may yet wake up, and is not let in any more.
    assert not queue.broker.renew(first.token, holder_of("t1", "process-1"))


def test_so_it_does_after_the_broker_has_died_as_well(queue):
    queue.submit("t1", 1, "job-1")
    queue.broker.close()
    queue.open()
    again = queue.ask("t1", 2)
    assert isinstance(again, Granted) and again.leads and again.record.job_id == "job-1"


def test_a_lease_that_a_dead_process_never_used_is_free(queue):
    assert isinstance(queue.ask("t1", 1), Granted)
    assert isinstance(queue.ask("t2", 1), Waiting)
    assert isinstance(queue.ask("t1", 2), Waiting)  # it comes after the one that waits already
    assert isinstance(queue.ask("t2", 1), Granted)


def test_a_member_that_starts_again_takes_nothing_from_the_leader(queue):
    queue.submit("t9", 1, "job-9")
    queue.ask("t1", 1)
    queue.ask("t2", 1)
    queue.broker.release(queue.ask("t9", 1).token, holder_of("t9", "process-1"), "done")
    lease = queue.submit("t1", 1, "job-1")
    assert not queue.ask("t2", 1).leads
    queue.broker.close()
    queue.open()
    queue.ask("t2", 2)
    assert queue.broker.renew(lease.token, holder_of("t1", "process-1"))


def test_another_sweep_with_the_same_trial_takes_nothing_away(queue):
    lease = queue.submit("t1", 1, "job-1")
    assert isinstance(queue.ask("t1", 2, sweep="b"), Waiting)
    assert queue.broker.renew(lease.token, holder_of("t1", "process-1"))


def test_a_predecessor_that_lives_after_all_takes_nothing_back(queue):
    queue.submit("t1", 1, "job-1")
    again = queue.ask("t1", 2)
    assert isinstance(queue.ask("t1", 1), Waiting)
    assert queue.broker.renew(again.token, holder_of("t1", "process-2"))
    queue.broker.release(again.token, holder_of("t1", "process-2"), "done")
    assert [queue.ask("t1", life).job_id for life in (1, 2)] == ["job-1", "job-1"]


def test_what_the_next_process_asks_with_is_not_forgotten_with_the_one_before(queue):
    # From time to time the broker forgets at some event what belongs to no step that it knows.
    for number in range(100):
        trial = f"t{number}"
        assert isinstance(queue.ask(trial, 1), Granted)
        again, holder = queue.ask(trial, 2), holder_of(trial, "process-2")
        # Its job can be written down, and submitted with all that it needs.
        assert queue.broker.admit(again.token, holder).parts == (b"",)
        queue.broker.release(again.token, holder, "done")
