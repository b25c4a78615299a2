"""A trial whose store is away for a while."""

import pytest

from qhn.core.errors import DamagedError, NewerFormatError, StoreError
from qhn.sweeps.store import open_store
from qhn.sweeps.trial.patience import PATIENCE_S, StorePatience, is_away

AWAY = StoreError("the store must be writable, but it is full")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_pauses_grow_until_the_patience_is_over():
    clock = Clock()
    patience, pauses = StorePatience(clock), []
    while (pause := patience.pause(AWAY, lambda: True)) is not None:
        pauses.append(pause)
        clock.now += pause
    assert PATIENCE_S <= clock.now < PATIENCE_S + max(pauses)
    assert pauses == sorted(pauses)
    assert pauses[0] < 1 and pauses[-1] <= 5


def test_a_store_that_was_back_is_waited_for_as_long_as_before():
    clock = Clock()
    patience = StorePatience(clock)
    first = patience.pause(AWAY, lambda: True)
    clock.now += PATIENCE_S - 1
    patience.over()
    clock.now += PATIENCE_S - 1
    assert patience.pause(AWAY, lambda: True) == first


def test_what_concerns_one_trial_alone_is_not_waited_for():
    assert StorePatience().pause(AWAY, lambda: False) is None


@pytest.mark.parametrize("error", [DamagedError("key", "why"), NewerFormatError("too new")])
def test_what_does_not_mend_itself_is_not_waited_for(error):
    assert StorePatience().pause(error, lambda: True) is None


def test_a_store_is_away_if_nothing_can_be_written(tmp_path):
    obstacle = tmp_path / "file"
    obstacle.touch()
    assert is_away(str(obstacle / "store"))
    store = open_store(str(tmp_path / "store"))
    assert not is_away(store.uri)
    assert store.backend.list() == []
