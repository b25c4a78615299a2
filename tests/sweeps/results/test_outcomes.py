"""Which of a trial's ends counts in a sweep: its own stop first, then what finished anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from qhn.core.metrics import ORIGINAL_NAMES
from qhn.sweeps.config.trial import canonical_json
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.results.statistics import summarise
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult

SWEEP = "name: x\ndatasets: [moons, ring]\nobjectives: mle\nseeds: 2\n"
WHOLE = make_plan(parse_spec(SWEEP))
RACED = make_plan(parse_spec(SWEEP + "early_stopping: {kind: asha, grace_steps: 20}"))
OTHER_RULE = make_plan(parse_spec(SWEEP + "early_stopping: {kind: asha, grace_steps: 30}"))


@dataclass
class FakeStore:
    """Finished results by trial id; stops by sweep, rule and trial id."""

    finished: dict[str, TrialResult] = field(default_factory=dict)
    stopped: dict[tuple[str, str], dict[str, TrialResult]] = field(default_factory=dict)

    def results(self, trial_ids):
        return {i: self.finished[i] for i in trial_ids if i in self.finished}

    def sweep(self, name):
        return FakeSweep(self, name)


@dataclass
class FakeSweep:
    store: FakeStore
    name: str

    def stops(self, rule):
        return self.store.stopped.get((self.name, canonical_json(rule)), {})


def key(plan, name="x"):
    return name, canonical_json(plan.early_stopping.content())


def result(trial_id, steps=250):
    return TrialResult(
        trial_id=trial_id,
        status="finished" if steps == 250 else "stopped",
        steps=steps,
        metrics=dict.fromkeys(ORIGINAL_NAMES, 0.5),
        flags={},
        top_strings=(),
        training_seconds=1.0,
        started_ms=0,
        finished_ms=1,
    )


IDS = [trial.trial_id for trial in RACED.trials]


def test_both_sweeps_have_the_same_trials():
    assert [trial.trial_id for trial in WHOLE.trials] == IDS


def test_an_empty_store_has_no_outcomes():
    assert outcomes(WHOLE, FakeStore()) == outcomes(RACED, FakeStore()) == {}


def test_what_another_sweep_finished_counts_in_both():
    store = FakeStore({IDS[1]: result(IDS[1]), "0" * 16: result("0" * 16)})
    assert outcomes(WHOLE, store) == outcomes(RACED, store) == {IDS[1]: result(IDS[1])}


def test_a_stop_counts_in_its_own_sweep_by_its_own_rule_alone():
    stops = {IDS[0]: result(IDS[0], 20)}
    store = FakeStore(stopped={key(RACED): stops})
    assert outcomes(RACED, store) == stops
    assert outcomes(WHOLE, store) == {}
    assert outcomes(OTHER_RULE, store) == {}
    assert outcomes(replace(RACED, name="y"), store) == {}


def test_a_stop_comes_before_what_was_finished_meanwhile():
    store = FakeStore(
        {trial_id: result(trial_id) for trial_id in IDS},
        {key(RACED): {IDS[2]: result(IDS[2], 60)}},
    )
    raced = outcomes(RACED, store)
    assert [raced[i].steps for i in IDS] == [250, 250, 60, 250]
    assert [outcomes(WHOLE, store)[i].steps for i in IDS] == [250] * 4


def test_stops_of_trials_that_are_not_planned_are_left_out():
    store = FakeStore(stopped={key(RACED): {"f" * 16: result("f" * 16, 20)}})
    assert outcomes(RACED, store) == {}


@pytest.mark.parametrize("plan", [WHOLE, RACED], ids=["whole", "raced"])
def test_outcomes_come_in_the_order_of_the_plan(plan):
    store = FakeStore({trial_id: result(trial_id) for trial_id in reversed(IDS)})
    assert list(outcomes(plan, store)) == IDS
    backwards = replace(plan, trials=plan.trials[::-1])
    assert list(outcomes(backwards, store)) == IDS[::-1]


def test_summaries_count_the_stops_of_their_sweep():
    store = FakeStore({i: result(i) for i in IDS}, {key(RACED): {IDS[0]: result(IDS[0], 20)}})
    moons, ring = summarise(make_rows(RACED.trials, outcomes(RACED, store), {}))
    assert (moons.trials, moons.stopped, ring.stopped) == (2, 1, 0)
    assert all(
        group.stopped == 0
        for group in summarise(make_rows(WHOLE.trials, outcomes(WHOLE, store), {}))
    )
