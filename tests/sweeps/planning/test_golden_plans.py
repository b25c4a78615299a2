"""Three sweep files plan the trials that version f0fdd86 planned for them, in the same order.

`tests/golden/record.py` says how the file was made. It must never be recorded anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

PLANS = json.loads((Path(__file__).parents[2] / "golden" / "plans.json").read_text())


@pytest.mark.parametrize("name", PLANS)
def test_ids_groups_labels_and_order(name):
    found = make_plan(parse_spec(PLANS[name]["text"]))
    rows = [f"{t.former_id or t.trial_id} {t.group_id} {t.label}" for t in found.trials]
    assert rows == PLANS[name]["trials"]


def test_the_trials_of_a_race_are_those_of_the_same_sweep_without_it():
    text = PLANS["raced"]["text"]
    raced = make_plan(parse_spec(text))
    lines = [line for line in text.splitlines() if not line.startswith("early_stopping")]
    whole = make_plan(parse_spec("\n".join(lines)))
    assert [t.trial_id for t in raced.trials] == [t.trial_id for t in whole.trials]
    assert [t.config for t in raced.trials] == [t.config for t in whole.trials]
    for one, other in zip(raced.trials, whole.trials, strict=True):
        assert one.former_id == one.config.former_id(raced.early_stopping)
        assert one.former_id not in (None, one.trial_id)
        assert one.group_id == one.config.group_id(raced.early_stopping) != other.group_id


@pytest.mark.parametrize("name", PLANS)
def test_groups_stay_when_seeds_are_added(name):
    spec = parse_spec(PLANS[name]["text"])
    before = make_plan(spec)
    extended = spec.model_copy(update={"seeds": (*spec.seed_values, 1000, 1001)})
    after = make_plan(extended)
    assert after.groups == before.groups
    assert after.trials[: len(before.trials)] == before.trials
    assert {t.group_id for t in after.trials} == {t.group_id for t in before.trials}
