"""How busy the machine keeps a processor, and how fairly it shares it, in simulated time."""

import pytest
from simulation import Sweep, World

from qhn.lanes.limits import Limits


def limits(jobs_in_flight, **others):
    return Limits(jobs_in_flight=jobs_in_flight, term_s=3600.0, **others)


@pytest.mark.parametrize(
    ("queue_s", "jobs_in_flight", "utilisation"),
    # Measured once by another simulation, of 40 trials with 20 jobs of 2 seconds each.
    [(0, 2, 1.0), (5, 2, 0.53), (5, 5, 0.96), (20, 5, 0.42), (20, 10, 0.77), (60, 20, 0.54)],
)
def test_jobs_in_flight_decide_how_busy_the_processor_is(queue_s, jobs_in_flight, utilisation):
    world = World(limits(jobs_in_flight), queue_s=queue_s).run(Sweep("a", 40, 20))
    assert world.jobs == 800
    assert world.most_in_flight == jobs_in_flight
    assert world.utilisation == pytest.approx(utilisation, rel=0.1)


def test_steps_that_go_out_together_save_time_and_money():
    """Where five submissions a minute are the bottleneck, and a job costs 0.9 s before it runs."""

    def run(requests_per_job):
        lane = limits(3, submissions_per_minute=5, requests_per_job=requests_per_job)
        return World(lane, fixed_s=0.9).run(Sweep("a", 40, 20))

    alone, together = run(1), run(8)
    assert alone.most_in_a_window == together.most_in_a_window == 5
    assert (alone.jobs, together.jobs) == (800, 103)
    assert alone.ended_at["a"] > 4 * together.ended_at["a"]
    assert together.busy_s < 0.65 * alone.busy_s


@pytest.mark.parametrize("execution_s", [2.0, 10.0])
def test_a_late_small_sweep_is_done_within_twice_its_fair_share(execution_s):
    early = Sweep("early", 40, 20, execution_s=execution_s)
    late = Sweep("late", 4, 20, execution_s=2.0, begins_at=100.0)
    world = World(limits(3)).run(early, late)
    # Half of the processor is its share: 160 seconds of work take 320.
    assert world.ended_at["late"] - 100.0 < 2 * 320.0


def test_many_jobs_are_shared_equally():
    """100 trials with short jobs against 10 with jobs five times as long.

    `benchmarks/lane_machine.py` does the same with 100,000 jobs.
    """
    short = Sweep("short", 100, 84, execution_s=0.4)
    long = Sweep("long", 10, 167, execution_s=2.0)
    world = World(limits(2, submissions_per_minute=240), seed=1).run(short, long)
    assert world.jobs == 8_400 + 1_670
    assert world.most_in_flight == 2
    assert world.most_in_a_window <= 240
    # As long as both have work, they have had the same seconds at every moment.
    had = {"short": 0.0, "long": 0.0}
    end = min(world.ended_at.values())
    for time, sweep, seconds in world.history:
        had[sweep] += seconds
        if 200.0 < time < end:
            assert had["short"] == pytest.approx(had["long"], rel=0.1)
