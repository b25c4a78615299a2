"""A Ray whose machines come and go: what the driver makes of it."""

from dataclasses import replace

from qhn.sweeps.driver.attached_ray import Cluster
from qhn.sweeps.driver.elastic import LOOK_EVERY_S, Elastic, live_now
from qhn.sweeps.driver.emission import Emission
from qhn.sweeps.driver.lane import simulator_lane
from qhn.sweeps.driver.live import Live
from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

TRIALS = make_plan(parse_spec("{name: t, datasets: [moons], objectives: [mle], seeds: 20}")).trials
CLUSTER = Cluster("here", (Node("a", "a", {"CPU": 1}), Node("b", "b", {"CPU": 1})))
MORE = tuple(Node(name, name, {"CPU": 2}) for name in "cd")


def live_of(cluster):
    return Live({None: cluster.cpus}, {None: 1}, {None: cluster.cpus})


def lanes_of(cluster, live):
    return [simulator_lane(live.simulated)]


class Told:
    def __init__(self):
        self.slots = []

    def resize(self, lanes):
        self.slots.append([lane.slots for lane in lanes])


def test_who_needs_to_know_is_told_when_machines_come_and_go():
    found, now, told = CLUSTER, 0.0, Told()
    elastic = Elastic(
        live_now(CLUSTER, lambda address: found, live_of), lanes_of, [told], clock=lambda: now
    )
    now += LOOK_EVERY_S
    elastic.look()
    assert told.slots == []
    found = replace(CLUSTER, nodes=CLUSTER.nodes + MORE)
    elastic.look()
    assert told.slots == []  # it was looked a moment ago
    for _ in range(2):
        now += LOOK_EVERY_S
        elastic.look()
    assert told.slots == [[6]]
    found = CLUSTER
    now += LOOK_EVERY_S
    elastic.look()
    assert told.slots == [[6], [2]]


def test_as_many_trials_are_handed_out_as_the_lane_has_now():
    lane, alive = simulator_lane(1), []
    emission = Emission(TRIALS, lambda trial: lane)
    numbers = map(str, range(100))

    def hand_out():
        while isinstance(emission.suggest(number := next(numbers)), dict):
            alive.append(number)
        return len(alive)

    assert hand_out() == lane.most_alive == 3
    emission.resize([simulator_lane(4)])
    assert hand_out() == simulator_lane(4).most_alive == 9
    emission.resize([lane])
    for left in range(8, 1, -1):
        # As long as more are alive than the lane has room for now, nothing is handed out.
        assert hand_out() == left + 1
        emission.on_trial_complete(alive.pop())
    assert hand_out() == 3
