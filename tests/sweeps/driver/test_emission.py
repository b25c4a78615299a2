from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ray.tune.search import Searcher

from qhn.sweeps.driver.emission import HEAD_START_S, Emission
from qhn.sweeps.driver.families import Families
from qhn.sweeps.driver.lane import Lane, queued_lane, simulator_lane
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 12}"
TRIALS = make_plan(parse_spec(SPEC, "test")).trials


def one_lane(slots):
    lane = simulator_lane(slots)
    return lambda trial: lane


@given(slots=st.integers(1, 5), choices=st.lists(st.booleans(), max_size=200))
def test_every_trial_once_in_order_and_never_many_more_than_the_slots(slots, choices):
    emission = Emission(TRIALS, one_lane(slots))
    most_alive = 2 * slots + 1
    alive, emitted, number = [], [], 0
    # After any order of requests and ends, the rest is drained.
    for ask in [*choices, *([True, False] * len(TRIALS) * 2)]:
        if ask:
            number += 1
            answer = emission.suggest(str(number))
            if isinstance(answer, dict):
                alive.append(str(number))
                emitted.append(answer["id"])
            else:
                done = len(emitted) == len(TRIALS)
                assert answer == (Searcher.FINISHED if done and not alive else None)
                assert done or len(alive) == most_alive
            assert len(alive) <= most_alive
        elif alive:
            emission.on_trial_complete(trial_id=alive.pop(0))
    assert emitted == [trial.trial_id for trial in TRIALS]


@given(
    slots=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    lane_of_seed=st.lists(st.booleans(), min_size=12, max_size=12),
    ends=st.randoms(use_true_random=False),
)
def test_no_lane_holds_back_another(slots, lane_of_seed, ends):
    """However many trials of one lane come first, the other one fills up as far as it may."""
    lanes = (Lane("first", slots[0]), Lane("second", slots[1]))
    placed = {t.trial_id: lanes[lane_of_seed[t.config.seed]] for t in TRIALS}
    emission = Emission(TRIALS, lambda trial: placed[trial.trial_id])
    wanted = Counter(lane.name for lane in placed.values())
    emitted, alive, number = Counter(), {}, 0
    while True:
        number += 1
        answer = emission.suggest(str(number))
        if isinstance(answer, dict):
            assert answer["lane"] == placed[answer["id"]].name
            alive[str(number)] = answer["lane"]
            emitted[answer["lane"]] += 1
            continue
        living = Counter(alive.values())
        for lane in lanes:
            full = living[lane.name] == lane.most_alive
            assert living[lane.name] <= lane.most_alive
            assert full or emitted[lane.name] == wanted[lane.name]
        if not alive:
            assert answer == Searcher.FINISHED
            break
        over = ends.choice(sorted(alive))
        del alive[over]
        emission.on_trial_complete(trial_id=over)
    assert emitted == wanted


def test_a_trial_whose_process_died_comes_back_even_at_the_end():
    emission = Emission(TRIALS[:2], one_lane(2))
    emission.suggest("a")
    emission.suggest("b")
    assert emission.suggest("c") is None
    emission.on_trial_complete(trial_id="a", error=True)
    emission.again(TRIALS[0])
    assert emission.suggest("d")["id"] == TRIALS[0].trial_id
    emission.on_trial_complete(trial_id="b")
    emission.on_trial_complete(trial_id="d")
    assert emission.suggest("e") == Searcher.FINISHED


def test_whoever_prepares_trials_hears_of_each_before_it_is_handed_over():
    heard = []
    emission = Emission(
        TRIALS[:3],
        one_lane(1),
        lambda trial: {"score": "nll"},
        coming=lambda trial: heard.append(trial.trial_id),
    )
    for number in range(3):
        answer = emission.suggest(str(number))
        assert heard[-1] == answer["id"]
        assert answer["score"] == "nll"
    assert heard == [trial.trial_id for trial in TRIALS[:3]]


def test_a_trial_that_may_not_come_yet_is_waited_for():
    room = False
    emission = Emission(TRIALS[:1], one_lane(1), may_come=lambda trial: room)
    assert emission.suggest("a") is None
    room = True
    assert emission.suggest("a")["id"] == TRIALS[0].trial_id


def test_a_child_waits_for_its_parent_and_lets_others_of_its_lane_pass():
    parent, child, other = TRIALS[:3]
    parent, child = replace(parent, lane=None), replace(child, parent=parent.trial_id, lane="qpu")
    lanes = {None: Lane("simulator", 1), "qpu": Lane("lane:qpu", 1)}
    families = Families([parent, child, other], finished=())
    emission = Emission(
        [child, replace(other, lane="qpu"), parent],
        lambda trial: lanes[trial.lane],
        may_begin=families.may_begin,
    )
    handed = {emission.suggest(number)["id"] for number in "ab"}
    assert handed == {other.trial_id, parent.trial_id}
    assert emission.suggest("c") is None
    emission.on_trial_complete(trial_id="a")
    emission.on_trial_complete(trial_id="b")
    # Tune has nothing any more, but the child is still to come.
    assert emission.suggest("c") is None
    families.has_finished(parent.trial_id)
    assert emission.suggest("c")["id"] == child.trial_id


def test_children_that_wait_are_looked_through_only_after_a_change():
    parent, *children = TRIALS
    children = [replace(child, parent=parent.trial_id) for child in children]
    families = Families(children, finished=())
    looked = []

    def may_begin(trial):
        looked.append(trial)
        return families.may_begin(trial)

    emission = Emission(children, one_lane(1), may_begin=may_begin, changes=families.changes)
    for turn in range(100):
        assert emission.suggest(turn) is None
    assert len(looked) == len(children)
    # A trial that comes back from a process that died is no child, and need not wait for a change.
    emission.again(parent)
    assert emission.suggest("a")["id"] == parent.trial_id
    emission.on_trial_complete("a")
    assert emission.suggest("b") is None
    families.has_finished(parent.trial_id)
    assert emission.suggest("b")["id"] == children[0].trial_id


def test_a_child_that_is_dropped_never_comes():
    lane = Lane("lane:qpu", 1)
    emission = Emission(TRIALS[:1], lambda trial: lane, may_begin=lambda trial: False)
    emission.drop(TRIALS[0])
    emission.drop(TRIALS[0])
    assert emission.suggest("a") == Searcher.FINISHED


def test_where_ray_does_not_bound_a_lane_no_trial_waits_in_it():
    lane = queued_lane("qpu", 3, {"CPU": 0, "memory": 1000.0}, bounded=False)
    emission = Emission(TRIALS, lambda trial: lane)
    handed = [emission.suggest(str(number)) for number in range(5)]
    assert [answer is not None for answer in handed] == [True, True, True, False, False]


def test_simulated_trials_come_before_those_that_wait_in_a_queue():
    """However the file lists them: they need the cores that starting a process takes."""
    lanes = [queued_lane("qpu", 4), simulator_lane(2)]
    emission = Emission(TRIALS, lambda trial: lanes[trial.config.seed >= 6])
    first = emission.suggest("1")
    assert isinstance(first, dict)
    assert first["lane"] == "simulator"


def mixed_emission(clock=lambda: 0.0):
    """Six trials of a queue, and after them six simulated ones with one slot."""
    lanes = [queued_lane("qpu", 4), simulator_lane(1)]
    return Emission(TRIALS, lambda trial: lanes[trial.config.seed >= 6], clock=clock)


def test_a_queue_begins_when_the_first_simulated_trial_has_begun():
    emission = mixed_emission()
    handed = [emission.suggest(str(number)) for number in range(3)]
    assert {answer["lane"] for answer in handed} == {"simulator"}
    assert emission.suggest("3") is None
    emission.begins(TRIALS[6])
    assert emission.suggest("3")["lane"] == "lane:qpu"


def test_a_queue_begins_without_simulated_trials_that_find_no_core():
    now = 0.0
    emission = mixed_emission(clock=lambda: now)
    for number in range(3):
        emission.suggest(str(number))
    now = HEAD_START_S - 0.1
    assert emission.suggest("3") is None
    now = HEAD_START_S
    assert emission.suggest("3")["lane"] == "lane:qpu"


def test_a_queue_begins_if_the_first_simulated_trials_fail_before_they_begin():
    emission = mixed_emission()
    for number in range(3):
        emission.suggest(str(number))
    for number in range(3):
        emission.on_trial_complete(trial_id=str(number), error=True)
    handed = [emission.suggest(str(number)) for number in range(3, 6)]
    assert {answer["lane"] for answer in handed} == {"simulator"}
    for number in range(3, 6):
        emission.on_trial_complete(trial_id=str(number), error=True)
    assert emission.suggest("6")["lane"] == "lane:qpu"
