"""The guide to sweep files: its examples are understood, and it names every option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qhn.sweeps.config.devices import device_from_word
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.spec.devices import device_spec, device_spec_models
from qhn.sweeps.spec.document import read_document
from qhn.sweeps.spec.lanes import BudgetSpec, LaneSpec, PricesSpec
from qhn.sweeps.spec.models import SweepSpec

GUIDE = (Path(__file__).parents[3] / "docs" / "sweep-files.md").read_text()
#: What an example leaves out because it is about something else.
_REST = "name: example\ndatasets: [moons]\nobjectives: [mle]\nseeds: 1\n"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
DEVICES = sorted(
    {
        *re.findall(r"`((?:exact|pennylane|qiskit|rehearsal):[^`…]+)`", GUIDE),
        *re.findall(r"[`'](\{name: (?:exact|pennylane|qiskit|rehearsal)[^`'…]*\})[`']", GUIDE),
    }
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_can_be_planned(example):
    text = example if example.startswith("name:") else _REST + example
    assert make_plan(parse_spec(text)).trials


@pytest.mark.parametrize("text", DEVICES)
def test_every_device_in_a_sentence_is_one(text):
    content = read_document(text, "the guide").content if text[0] == "{" else device_from_word(text)
    assert device_spec(content).name in text


def test_there_are_examples():
    assert len(EXAMPLES) >= 2 and len(DEVICES) >= 5
    assert any("lanes:" in example for example in EXAMPLES)


def test_every_setting_is_named():
    models = [*device_spec_models().values(), SweepSpec, LaneSpec, BudgetSpec, PricesSpec]
    settings = {field.alias or name for m in models for name, field in m.model_fields.items()}
    # Within a mapping in backticks, or alone: `budget`, `{cost: 50}`.
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", GUIDE))))
    assert sorted(settings - named - {"name"}) == []
