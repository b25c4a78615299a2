"""Fifty configurations keep the identities that version f0fdd86 gave them.

A store finds a trial by its id alone: one changed digit, and every result of that trial is lost.
`tests/golden/record.py` says how the file was made. It must never be recorded anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhn.sweeps.config.sections import AshaConfig
from qhn.sweeps.config.trial import TrialConfig

ROWS = json.loads((Path(__file__).parents[2] / "golden" / "identities.json").read_text())


def rule_of(row) -> AshaConfig | None:
    """The rule of the sweep that the configuration was recorded in."""
    rule = row["content"].get("early_stopping")
    return None if rule is None else AshaConfig.model_validate(rule)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["former_id"])
class TestGoldenIdentities:
    def test_the_canonical_json_and_its_digest(self, row):
        config = TrialConfig.model_validate(row["content"])
        assert config.to_json() == row["json"]
        assert config.trial_id == row["trial_id"]
        assert TrialConfig.from_json(row["json"]) == config

    def test_the_problem(self, row):
        assert TrialConfig.model_validate(row["content"]).problem_key == row["problem_key"]

    def test_the_group_and_the_id_of_before(self, row):
        config, rule = TrialConfig.model_validate(row["content"]), rule_of(row)
        assert config.group_id(rule) == row["group_id"]
        assert (config.former_id(rule) or config.trial_id) == row["former_id"]


def test_the_rows_cover_what_they_should():
    assert len(ROWS) == 50
    raced = [row for row in ROWS if row["former_id"] != row["trial_id"]]
    assert len(raced) == sum("early_stopping" in row["content"] for row in ROWS) == 2
