from hypothesis import given
from hypothesis import strategies as st
from ray.tune.search import Searcher

from qhn.sweeps.driver.emission import Emission
from qhn.sweeps.driver.local_ray import most_alive
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 12}"
TRIALS = make_plan(parse_spec(SPEC, "test")).trials


@given(slots=st.integers(1, 5), choices=st.lists(st.booleans(), max_size=200))
def test_every_trial_once_in_order_and_never_many_more_than_the_slots(slots, choices):
    emission = Emission(TRIALS, slots)
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
                assert done or len(alive) == most_alive(slots)
            assert len(alive) <= most_alive(slots)
        elif alive:
            emission.on_trial_complete(trial_id=alive.pop(0))
    assert emitted == [trial.trial_id for trial in TRIALS]


def test_a_trial_whose_process_died_comes_back_even_at_the_end():
    emission = Emission(TRIALS[:2], slots=2)
    emission.suggest("a")
    emission.suggest("b")
    assert emission.suggest("c") is None
    emission.on_trial_complete(trial_id="a", error=True)
    emission.again(TRIALS[0])
    assert emission.suggest("d")["id"] == TRIALS[0].trial_id
    emission.on_trial_complete(trial_id="b")
    emission.on_trial_complete(trial_id="d")
    assert emission.suggest("e") == Searcher.FINISHED
