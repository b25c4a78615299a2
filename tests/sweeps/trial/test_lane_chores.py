"""What trials that wait find out about jobs that nobody looks after."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from qhn.lanes.desk import Chore
from qhn.sweeps.trial.lane_job import look_into
from qhn.sweeps.trial.lane_pace import Pace

LONG = sum(Pace(1.0, 1.0, 0).searches())


class Waiter:
    """A trial that waits for its turn at a provider whose listing shows nothing."""

    def __init__(self):
        self.now = 0.0
        self.settled = []
        self.promise, self.pace, self.missed = "findable", Pace(1.0, 1.0, 0), {}
        self.handle = SimpleNamespace(find=lambda submission: None)
        self.desk = SimpleNamespace(settle=lambda *told: self.settled.append(told[:2]))

    def clock(self):
        return self.now

    def look(self, now, token):
        self.now = now
        look_into(self, Chore("qhn-s-t-0-0", None, token))


@pytest.fixture
def waiter():
    return Waiter()


def test_a_job_that_no_listing_shows_for_long_was_not_submitted(waiter):
    waiter.look(0.0, token=1)
    waiter.look(LONG - 1, token=1)
    assert waiter.settled == []
    waiter.look(LONG, token=1)
    assert waiter.settled == [("qhn-s-t-0-0", "failed")]


def test_the_search_begins_anew_after_another_lease(waiter):
    waiter.look(0.0, token=1)
    # Meanwhile a trial took the job up, submitted it and died: the listing need not show it yet.
    waiter.look(LONG + 100, token=2)
    assert waiter.settled == []
    waiter.look(2 * LONG + 100, token=2)
    assert waiter.settled == [("qhn-s-t-0-0", "failed")]
