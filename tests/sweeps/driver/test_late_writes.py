"""Writes of the driver while its store is away."""

import pytest

from qhn.core.errors import DamagedError, StoreError
from qhn.sweeps.driver.late_writes import PATIENCE_S, LateWrites


class Place:
    """A store that is away until it comes back, and a clock."""

    def __init__(self):
        self.away, self.now, self.written, self.told = True, 0.0, [], []
        self.writes = LateWrites(self.told.append, lambda: self.now, self.sleep)

    def sleep(self, seconds):
        self.now += seconds

    def write(self, what):
        if self.away:
            raise StoreError("it is full")
        self.written.append(what)

    def do(self, what):
        self.writes.do(lambda: self.write(what))


def test_writes_are_done_at_once_where_the_store_can_be_used():
    place = Place()
    place.away = False
    place.do(1)
    assert place.written == [1]
    assert place.told == []


def test_writes_are_done_in_their_order_when_the_store_is_back():
    place = Place()
    for what in range(3):
        place.do(what)
    assert place.writes.is_waiting
    place.now += 10
    place.writes.again()
    assert place.written == []
    place.away = False
    place.writes.again()  # it was tried a moment ago
    assert place.written == []
    place.now += 10
    place.writes.again()
    assert place.written == [0, 1, 2]
    assert not place.writes.is_waiting
    first, last = place.told
    assert "it is full" in first and "5 minutes" in first
    assert "again" in last


def test_a_store_that_does_not_come_back_ends_the_sweep():
    place = Place()
    place.do(1)
    with pytest.raises(StoreError, match="it is full"):
        place.writes.finish()
    assert PATIENCE_S <= place.now < PATIENCE_S + 10


def test_finishing_waits_for_the_store():
    place = Place()
    place.do(1)

    def sleep(seconds):
        place.now += seconds
        place.away = place.now < 60

    place.writes = LateWrites(place.told.append, lambda: place.now, sleep)
    place.do(2)
    place.writes.finish()
    assert place.written == [2]


def test_damage_is_said_at_once():
    place = Place()

    def write():
        raise DamagedError("key", "a folder is in its place")

    with pytest.raises(DamagedError):
        place.writes.do(write)
    place.away = False
    place.do(1)
    assert place.written == [1]
