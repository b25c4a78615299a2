"""How many trials of each lane fit into memory together."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from qhn.sweeps.driver.lane import lanes_of, queued_lane, simulator_lane
from qhn.sweeps.driver.live import live_trials
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 12}"
PLANNED = make_plan(parse_spec(SPEC, "test")).trials
TRIALS = [replace(t, lane=[None, "a", "b"][n % 3]) for n, t in enumerate(PLANNED)]
MEMORY = memory_of(trial.config for trial in TRIALS)
PLENTY = Machine(2**40)


def test_no_lane_has_more_live_trials_than_trials():
    live = live_trials(TRIALS, {None: 8, "a": 3, "b": 20}, PLENTY)
    assert live.trials == live.wanted == {None: 4, "a": 3, "b": 4}
    assert live.simulated == 4
    assert live.queued() == {"a": 3, "b": 4}


def test_a_lane_without_trials_is_left_out():
    only = [trial for trial in TRIALS if trial.lane == "a"]
    assert live_trials(only, {None: 8, "a": 3, "b": 2}, PLENTY).trials == {"a": 3}


@given(
    wanted=st.fixed_dictionaries({lane: st.integers(1, 6) for lane in (None, "a", "b")}),
    room=st.integers(0, 15),
)
def test_live_trials_of_all_lanes_share_the_memory(wanted, room):
    machine = Machine(MEMORY.shared + room * MEMORY.trial)
    live = live_trials(TRIALS, wanted, machine)
    assert all(1 <= live.trials[lane] <= live.wanted[lane] for lane in wanted)
    total = sum(live.trials.values())
    # Each lane keeps one in any case; nothing is left unused that somebody wanted.
    assert total == max(3, min(room, sum(live.wanted.values())))


def test_trials_go_to_the_lanes_of_their_devices():
    queued = queued_lane("simulator", 5)
    lanes, lane_of = lanes_of(simulator_lane(2), {"simulator": queued}.items())
    assert [lane.slots for lane in lanes] == [2, 5]
    assert lane_of(PLANNED[0]).resources == {"CPU": 1.0}
    # A lane may have any name in a file, and is never taken for that of simulated trials.
    assert lane_of(replace(PLANNED[0], lane="simulator")) is queued
    assert queued.resources == {"CPU": 0, "lane:simulator": 1.0}
    assert len({lane.name for lane in lanes}) == 2
