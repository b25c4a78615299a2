"""A trial is killed after each of its calls in turn: nothing is paid for twice, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lane_world import ACCESS, LIMITS, World, config

from qhn.core.errors import LaneError
from qhn.lanes.ledger import ENDS

#: The calls of one step, of which there is one more than there are updates.
ONE = [config()]
TWO = [config(seed=0), config(seed=1)]
TOGETHER = replace(LIMITS, jobs_in_flight=1, requests_per_job=2)


def undisturbed(folder, configs, **settings):
    world = World(folder, **settings).add(*configs).run()
    assert world.paid() == dict.fromkeys(world.paid(), 1)
    assert len(world.paid()) == 2 * len(configs)
    return world


def crashes(tmp_path, configs, promise, **settings):
    """One world for each call after which a process is killed, with and without its broker."""
    access = replace(ACCESS, submission=promise)
    whole = undisturbed(tmp_path / "whole", configs, access=access, **settings)
    for broker_dies in (False, True):
        for number in range(1, whole.calls + 1):
            folder = tmp_path / f"{number}-{broker_dies}"
            yield (
                whole,
                World(
                    folder, access=access, crash_at=number, broker_dies=broker_dies, **settings
                ).add(*configs),
            )


@pytest.mark.parametrize("configs, limits", [(ONE, LIMITS), (TWO, TOGETHER)], ids=["one", "two"])
@pytest.mark.parametrize("promise", ["idempotent", "findable"])
def test_nothing_is_paid_twice(tmp_path, promise, configs, limits):
    killed = set()
    for whole, world in crashes(tmp_path, configs, promise, limits=limits):
        world.run()
        assert world.killed_in is not None
        killed.add(world.killed_in)
        assert [life.error for life in world.lives] == [None] * len(configs)
        assert world.paid() == whole.paid(), world.killed_in
        assert world.digest() == whole.digest()
        assert {record.state for record in world.records()} <= ENDS
    assert killed >= {"ask", "admit", "submit", "submitted", "look", "renew", "fetch", "release"}


def test_what_nobody_can_know_a_person_decides(tmp_path):
    asked = 0
    for whole, world in crashes(tmp_path, ONE, "neither", limits=LIMITS):
        (life,) = world.lives
        world.run()
        if life.error is None:
            assert world.paid() == whole.paid()
            assert world.digest() == whole.digest()
            continue
        asked += 1
        # Between the record that announces a job and the one that has its id.
        assert world.killed_in in ("admit", "submit")
        assert isinstance(life.error, LaneError)
        (open_one,) = [r for r in world.records() if r.state not in ENDS]
        assert f"qhn lanes jobs practice --resubmit {open_one.submission}" in str(life.error)
        # The person looks at the provider's list, and the trial goes on.
        there = world.jobs() - sum(r.state in ENDS for r in world.records())
        world.desk.settle(open_one.submission, "abandoned" if there else "failed")
        life.error = None
        world.run()
        assert world.digest() == whole.digest()
        assert sum(world.paid().values()) == sum(whole.paid().values()) + there
    assert asked


@pytest.mark.parametrize("promise", ["idempotent", "findable"])
def test_chaos_changes_no_number_and_pays_for_nothing_twice(tmp_path, promise):
    """The provider fails in every way it knows, while trials and brokers are killed at random."""
    configs = [config(seed, steps=6) for seed in range(5)]
    limits = replace(LIMITS, jobs_in_flight=2, requests_per_job=3)
    whole = World(tmp_path / "whole", limits=limits).add(*configs).run()
    access = replace(
        ACCESS,
        submission=promise,
        transient_rate=0.2,
        timeout_rate=0.1,
        failure_rate=0.1,
        session_jobs=5,
    )
    world = World(tmp_path / "chaos", access, limits, rate=0.02, broker_rate=0.01)
    world.add(*configs).run(10_000)
    assert world.kills > 3
    assert world.broker_kills > 3
    assert world.jobs() > whole.jobs()
    assert [life.error for life in world.lives] == [None] * len(configs)
    assert world.paid() == whole.paid()
    assert world.digest() == whole.digest()
    assert {record.state for record in world.records()} <= ENDS
