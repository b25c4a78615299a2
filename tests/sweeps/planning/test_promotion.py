"""Trials that start from the angles of others, in plans and in identities."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from queued_examples import Oracle

from qhn.devices import DEVICES
from qhn.sweeps.config.settings import settings
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, parse_spec

START = "{device: exact, steps: 40}"


@pytest.fixture(autouse=True)
def oracle(monkeypatch):
    monkeypatch.setitem(DEVICES, "oracle", Oracle)


def text(**changes):
    entries = {
        "name": "x",
        "datasets": "moons",
        "networks": "{hidden: 1}",
        "objectives": "[mle, {name: selbo, lambda: 10}]",
        "seeds": "2",
        "devices": "oracle",
        "training": "{steps: 20}",
        "start_from": START,
        **changes,
    }
    return "\n".join(f"{k}: {v}" for k, v in entries.items() if v is not None)


def plan(**changes):
    return make_plan(parse_spec(text(**changes)))


def test_each_parent_is_an_ordinary_trial_before_its_child():
    found = plan()
    assert len(found.trials) == 8
    assert found.duplicates == 0
    place = {trial.trial_id: number for number, trial in enumerate(found.trials)}
    children = [trial for trial in found.trials if trial.parent is not None]
    assert [trial.config.device.name for trial in children] == ["oracle"] * 4
    for child in children:
        parent = found.trials[place[child.parent]]
        assert place[child.parent] < place[child.trial_id]
        assert (parent.lane, parent.parent, parent.config.start_from) == (None, None, None)
        assert parent.config == child.config.parent
        assert parent.trial_id == parent.config.trial_id
        assert child.trial_id == child.config.trial_id
        assert (parent.config.training.steps, child.config.training.steps) == (40, 20)
        same = {"device", "training", "start_from"}
        assert parent.config.model_dump(exclude=same) == child.config.model_dump(exclude=same)


def test_parents_are_groups_of_their_own_with_labels_of_their_own():
    found = plan(objectives="mle", devices="[exact, oracle]")
    assert list(found.groups.values()) == [
        "moons mle exact steps=20", "moons mle exact steps=40", "moons mle oracle steps=20"
    ]  # fmt: skip


def test_a_trial_that_the_file_asks_for_anyway_can_be_the_parent():
    found = plan(objectives="mle", devices="[oracle, exact]", start_from="{device: exact}")
    assert [trial.config.device.name for trial in found.trials[:2]] == ["exact", "oracle"]
    assert len(found.trials) == 4
    assert found.duplicates == 0
    assert found.trials[1].parent == found.trials[0].trial_id
    alone = plan(objectives="mle", devices="exact", start_from=None)
    assert found.trials[0].trial_id == alone.trials[0].trial_id


def test_the_parent_is_part_of_the_identity_and_nothing_else_changes():
    found, without = plan(objectives="mle"), plan(objectives="mle", start_from=None)
    longer = plan(objectives="mle", start_from="{device: exact, steps: 41}")
    child = found.trials[1]
    assert without.trials[0].config == child.config.model_copy(update={"start_from": None})
    assert len({child.trial_id, without.trials[0].trial_id, longer.trials[1].trial_id}) == 3
    assert "start_from" not in without.trials[0].config.content()
    assert TrialConfig.from_json(child.config.to_json()) == child.config
    assert settings(child.config)["start_from.device.name"] == "exact"
    assert settings(child.config)["start_from.training.steps"] == 40
    # Trials that differ only by the seed are one group, also where they have parents.
    assert found.trials[1].group_id == found.trials[3].group_id


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"start_from": "{device: oracle}"},
         ["line 8: start_from.device: a trial must start from angles that were trained on a device "
          "without a queue, but got oracle; use exact, for example"]),
        ({"start_from": "{steps: 3}"},
         ["line 8: start_from.device: missing: a device without a queue"]),
        ({"start_from": "{device: exacd, steps: 0}"},
         ["line 8: start_from.device: must be one of exact, oracle, but got 'exacd'; did you mean "
          "exact?", "line 8: start_from.steps: must be at least 1, but got 0"]),
        ({"start_from": "{device: 'exact:1'}"},
         ["line 8: start_from.device: selbo needs at least 2 shots, but got exact shots=1; use "
          "more shots, or mle (for objectives[1])"]),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(changes, lines, monkeypatch):
    monkeypatch.setattr("qhn.sweeps.config.devices.DEVICES", {
        name: DEVICES[name] for name in ("exact", "oracle")
    })  # fmt: skip
    with pytest.raises(InvalidSpecError) as caught:
        plan(**changes)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == lines


def test_a_queued_parent_is_refused_in_a_configuration_too():
    content = plan(objectives="mle").trials[1].config.content()
    content["start_from"]["device"] = {"name": "oracle"}
    with pytest.raises(ValidationError, match="without a queue"):
        TrialConfig.model_validate(content)
