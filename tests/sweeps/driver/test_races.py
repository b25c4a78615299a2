"""Races of early stopping with numbers worked out by hand, rung by rung.

A score is compared with those that were noted at the same rung before it: with the median where a
half goes on, with the lower third where a third does, both by linear interpolation. Only a score
that is worse than that is stopped, and it is noted all the same.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from ray.tune.schedulers import TrialScheduler

from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.driver.early_stopping import GroupedAsha
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store

GOES_ON, STOPS = TrialScheduler.CONTINUE, TrialScheduler.STOP


class Race:
    """A sweep of ``trials`` seeds for each data set; trials are numbered within their data set."""

    def __init__(self, name, rule, trials=6, store=None, over=None):
        text = (
            f"name: {name}\ndatasets: [moons, ring]\nobjectives: mle\nseeds: {trials}\n"
            f"training: {{steps: 100, report_every: 5}}\nearly_stopping: {{kind: asha, {rule}}}\n"
        )
        self.plan = make_plan(parse_spec(text))
        self.store = store or open_store(f"memory://{name}")
        over = {self.id(n, d): result for (n, d), result in (over or {}).items()}
        self._scheduler = GroupedAsha(
            self.plan.early_stopping, self.plan.trials, over, self.store, {"s": 2}
        )
        self._entered = {}

    def _planned(self, number, dataset):
        trials = self.plan.trials
        return next(
            t for t in trials if (t.config.seed, t.config.dataset.name) == (number, dataset)
        )

    def id(self, number, dataset="moons"):
        return self._planned(number, dataset).trial_id

    def report(self, number, step, score, dataset="moons"):
        if (number, dataset) not in self._entered:
            planned = self._planned(number, dataset)
            config = {"id": planned.trial_id, "trial": planned.config.to_json(), "lane": "s"}
            trial = SimpleNamespace(trial_id=f"{dataset}{number}", status="RUNNING", config=config)
            self._entered[number, dataset] = trial
            self._scheduler.on_trial_add(None, trial)
        result = {"step": step, "qhn_score": score}
        return self._scheduler.on_trial_result(None, self._entered[number, dataset], result)


HALF = "metric: nll, grace_steps: 10, reduction_factor: 2"
THIRD = "metric: nll, grace_steps: 10, reduction_factor: 3"


def test_nothing_is_decided_before_the_grace_is_over():
    race = Race("grace", HALF)
    assert [race.report(n, 5, score) for n, score in enumerate((0.1, 9.0, 99.0))] == [GOES_ON] * 3


@pytest.mark.parametrize(("score", "decision"), [(0.33, GOES_ON), (0.34, STOPS)])
def test_the_best_third_goes_on(score, decision):
    race = Race(f"third-{score}", THIRD)
    # The lower third of {0.6} is 0.6, of {0.4, 0.6} it is 0.4 + 0.2/3 = 0.467.
    assert race.report(0, 10, 0.6) == GOES_ON
    assert race.report(1, 10, 0.4) == GOES_ON
    assert race.report(2, 10, 0.2) == GOES_ON
    # Of {0.2, 0.4, 0.6}: two thirds of a step from 0.2 to 0.4, which is 0.333.
    assert race.report(3, 10, score) == decision


def test_each_rung_has_its_own_scores():
    """Halving from 10 steps on has its rungs at 10, 20, 40 and 80."""
    race = Race("rungs", HALF)
    assert race.report(0, 10, 0.5) == GOES_ON
    assert race.report(1, 10, 0.4) == GOES_ON
    assert race.report(0, 20, 0.3) == GOES_ON
    # Better than all scores at 10, but at 20 there is 0.3 alone.
    assert race.report(1, 20, 0.35) == STOPS
    # Not a rung: nothing is decided, nothing noted.
    assert race.report(0, 30, 7.0) == GOES_ON
    # The median at 40 is that of nothing, and at 80 likewise.
    assert race.report(0, 40, 8.0) == GOES_ON
    assert race.report(0, 80, 9.0) == GOES_ON
    assert race.report(2, 10, 0.46) == STOPS  # the median of 0.5 and 0.4 is 0.45


def test_a_score_as_good_as_the_cutoff_goes_on():
    race = Race("ties", HALF)
    assert [race.report(n, 10, 0.5) for n in range(4)] == [GOES_ON] * 4
    assert race.report(4, 10, math.nextafter(0.5, 1.0)) == STOPS


def test_those_that_are_stopped_are_compared_with_as_well():
    race = Race("noted", HALF)
    assert race.report(0, 10, 0.2) == GOES_ON
    assert race.report(1, 10, 1.0) == STOPS
    # The median of 0.2 and 1.0 is 0.6; of 0.2 alone 0.5 would be worse.
    assert race.report(2, 10, 0.5) == GOES_ON


def test_a_score_that_is_no_number_stops_nobody():
    race = Race("nan", HALF)
    assert race.report(0, 10, 0.4) == GOES_ON
    assert race.report(1, 10, math.nan) == GOES_ON
    assert race.report(2, 10, 0.5) == STOPS  # the median is 0.4 as if there were no other
    assert race.report(3, 10, 0.45) == GOES_ON  # and now 0.45


def test_the_last_report_stops_nobody():
    race = Race("last", HALF)
    assert race.report(0, 80, 0.1) == GOES_ON
    assert race.report(1, 80, 0.05) == GOES_ON
    # At 100 steps a trial is over anyway; what it scores then was judged at 80.
    assert race.report(0, 100, 5.0) == GOES_ON


def test_of_accuracies_the_highest_go_on():
    race = Race("up", "metric: train_accuracy_expected, grace_steps: 10, reduction_factor: 2")
    assert race.report(0, 10, 0.8) == GOES_ON
    assert race.report(1, 10, 0.7) == STOPS
    assert race.report(2, 10, 0.76) == GOES_ON  # the median of 0.8 and 0.7 is 0.75
    assert race.report(3, 10, 0.755) == STOPS  # and of these three 0.76


def test_two_groups_race_apart():
    """Interleaved, so that one race for both would decide otherwise each time."""
    race = Race("apart", HALF)
    assert race.report(0, 10, 0.3) == GOES_ON
    assert race.report(0, 10, 3.0, "ring") == GOES_ON  # of one race, 0.3 would be better
    assert race.report(1, 10, 0.4) == STOPS  # of one race, the median would be 1.65
    assert race.report(1, 10, 2.0, "ring") == GOES_ON
    assert race.report(2, 10, 2.6, "ring") == STOPS  # the median of 3.0 and 2.0 is 2.5
    assert race.report(2, 10, 0.34) == GOES_ON  # that of 0.3 and 0.4 is 0.35


def keep(race, result, number, scores, **changes):
    """Leave a trial in the store that reported these scores, by step; its result."""
    history = History()
    for step, score in scores.items():
        history.append(step, step, dict.fromkeys(BY_NAME, score))
    state = {"step": np.array(max(scores), dtype=np.int64), **history.state()}
    race.store.save_checkpoint(race.id(number), state)
    return result(race.id(number), steps=max(scores), metrics=history.last(), **changes)


def test_a_resumed_race_compares_with_those_that_were_over(make_result):
    before = Race("resumed", HALF)
    finished = keep(before, make_result, 0, {0: 9.0, 10: 0.4, 20: 0.3, 40: 0.2, 80: 0.1, 100: 0.1})
    stopped = keep(before, make_result, 1, {0: 9.0, 10: 0.6}, status="stopped")
    over = {(0, "moons"): finished, (1, "moons"): stopped}
    race = Race("resumed", HALF, store=before.store, over=over)
    assert race.report(2, 10, 0.51) == STOPS  # the median of 0.4 and 0.6 is 0.5
    assert race.report(3, 10, 0.5) == GOES_ON
    assert race.report(3, 20, 0.31) == STOPS  # at 20 there is 0.3 alone
    # In a race that has forgotten them, both would have gone on as the first at their rungs.
    forgetful = Race("forgetful", HALF)
    assert forgetful.report(2, 10, 0.51) == forgetful.report(3, 20, 0.31) == GOES_ON


def test_a_stop_is_replayed_no_further_than_where_it_was(make_result):
    """Another sweep may have trained the stopped trial to its end since then."""
    before = Race("overtaken", HALF)
    scores = {0: 9.0, 10: 0.6, 20: 0.01, 40: 0.01}
    keep(before, make_result, 0, scores)
    stop = make_result(before.id(0), status="stopped", steps=10, metrics={"nll": 0.6})
    race = Race("overtaken", HALF, store=before.store, over={(0, "moons"): stop})
    assert race.report(1, 20, 0.5) == GOES_ON  # nobody of this sweep has been at 20
    assert race.report(2, 10, 0.7) == STOPS


@pytest.fixture
def make_result():
    def make(trial_id, **changes):
        fields = {
            "trial_id": trial_id,
            "status": "finished",
            "steps": 100,
            "metrics": {},
            "flags": {},
            "top_strings": (),
            "training_seconds": 1.0,
            "started_ms": 0,
            "finished_ms": 1,
        }
        return TrialResult(**(fields | changes))

    return make
