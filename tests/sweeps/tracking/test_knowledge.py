"""How far a trial is shown that its sweep may stop early, or has."""

import json
from dataclasses import replace

from qhn.core.metrics import ORIGINAL_NAMES
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store
from qhn.sweeps.tracking.knowledge import Knowledge, Known

(TRIAL,) = make_plan(parse_spec("{name: k, datasets: [moons], objectives: [mle], seeds: 1}")).trials
ID = TRIAL.trial_id


def store_with_a_finished_trial(name):
    """Another sweep has trained it to its end, of which MLflow must not hear yet."""
    store, rows = open_store(f"memory://{name}"), History()
    for step in (0, 10, 20, 30):
        rows.append(step, 1000 + step, dict.fromkeys(ORIGINAL_NAMES, step / 7))
    store.save_checkpoint(ID, {"history": rows.to_array()})
    end = TrialResult(ID, "finished", 30, rows.last(), {}, (), 1.0, 1000, 2000)
    store.save_result(end)
    return store, end


def over_the_wire(known):
    """The same, as the writer's process has it."""
    return Known.from_json(ID, json.loads(json.dumps(known.to_json())))


def test_a_trial_that_may_still_be_stopped_is_shown_as_far_as_the_driver_has_heard():
    store, end = store_with_a_finished_trial("heard")
    heard = {ID: -1}
    knowledge = Knowledge({}, heard)
    assert over_the_wire(knowledge.of(ID)).read(store, ID).history.steps == []
    heard[ID] = 20
    record = over_the_wire(knowledge.of(ID)).read(store, ID)
    assert (record.history.steps, record.result) == ([0, 10, 20], None)
    heard.clear()  # it is over for this sweep as well
    record = over_the_wire(knowledge.of(ID)).read(store, ID)
    assert (record.history.steps, record.result) == ([0, 10, 20, 30], end)


def test_a_trial_that_was_stopped_is_shown_no_further_than_its_stop():
    store, end = store_with_a_finished_trial("stopped")
    stop = replace(end, status="stopped", steps=10, finished_ms=1010)
    stops = {}
    knowledge = Knowledge(stops, {})
    stops[ID] = stop
    record = over_the_wire(knowledge.of(ID)).read(store, ID)
    assert (record.history.steps, record.result) == ([0, 10], stop)
    assert knowledge.all() == {ID: Known(None, stop)}


def test_of_a_trial_that_nobody_stops_there_is_nothing_to_say():
    assert Knowledge({}, {}).all() == {}
    assert over_the_wire(Known()) == Known()
