"""Tests of how often a trial looks after its job."""

from __future__ import annotations

import pytest

from qhn.sweeps.trial.lane_pace import SHORTEST_S, Pace

PACE = Pace(execution_s=2.0, speedup=1.0, seed=0)


def _lag(queue_s: float, execution_s: float = 2.0) -> tuple[float, int]:
    """How late the end of a job is seen, and how many looks that takes."""
    now = queued_at = 0.0
    looks = 1
    while now < queue_s + execution_s:
        if now < queue_s:
            queued_at = now
            now += PACE.while_queued(now)
        else:
            now += PACE.while_running(now - queued_at)
        looks += 1
    return now - queue_s - execution_s, looks


@pytest.mark.parametrize("queue_s", [0.0, 0.3, 1.9, 7.77, 19.0])
def test_the_end_of_a_job_is_seen_within_a_thirtieth_of_its_time(queue_s: float) -> None:
    lag, looks = _lag(queue_s)
    assert lag <= 2.0 / 30
    assert looks <= 45


def test_a_job_that_takes_longer_than_expected_is_looked_at_less_and_less_often() -> None:
    lag, looks = _lag(0.0, execution_s=200.0)
    assert lag <= 0.5
    assert looks < 450


def test_a_long_queue_is_not_asked_every_second() -> None:
    assert PACE.while_queued(1.0) == 0.5
    assert PACE.while_queued(100.0) == 5.0
    assert PACE.while_queued(1e9) == 30.0


def test_a_rehearsal_that_is_sped_up_is_not_asked_without_pause() -> None:
    fast = Pace(execution_s=1e-6, speedup=1e6, seed=0)
    assert fast.while_queued(0.0) == SHORTEST_S
    assert fast.while_running(0.0) == SHORTEST_S
