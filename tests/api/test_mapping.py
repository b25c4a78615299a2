"""Sweeps from mappings: what stands for what, and what is refused."""

import json
from decimal import Decimal
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

import qhn
from qhn.core.errors import InvalidValueError, SpecError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, parse_spec

TEXT = """
name: same
description: "λ and 😀, a tab\\t, a line\\nand half a one\\u2028 \\x85 \\x7f."
tags: {paper: 2506.05888, draft: true}
datasets: [gaussian, {name: moons, noise: 0.2, train: 50}]
objectives: [mle, {name: elbo, lambda: [0.5, 1.0e-05, 3.0]}]
seeds: {first: 2, count: 3}
training: {steps: 20, learning_rate: [0.1, 0.2]}
"""
MAPPING = {
    "name": PurePosixPath("same"),
    "description": "λ and 😀, a tab\t, a line\nand half a one\u2028 \x85 \x7f.",
    "tags": {"paper": 2506.05888, "draft": np.bool_(True)},
    "datasets": ("gaussian", {"name": np.str_("moons"), "noise": np.float64(0.2), "train": 50}),
    "objectives": ["mle", {"name": "elbo", "lambda": np.array([0.5, 1e-5, 3])}],
    "seeds": {"first": np.uint8(2), "count": 3},
    "training": {"steps": np.int64(20), "learning_rate": (0.1, np.array(0.2))},
}


def trials(sweep):
    return [(trial.trial_id, trial.group) for trial in sweep.plan().trials]


def test_a_mapping_means_what_the_file_means(tmp_path):
    path = tmp_path / "same.yaml"
    path.write_text(TEXT)
    from_file, from_mapping = qhn.load_sweep(path), qhn.load_sweep(MAPPING)
    assert (from_mapping.name, len(trials(from_mapping))) == ("same", 48)
    assert trials(from_mapping) == trials(from_file) == trials(qhn.load_sweep(str(path)))
    # And so does the text that the store will keep of it.
    again = make_plan(parse_spec(from_mapping._content, "again"))
    assert again == make_plan(parse_spec(TEXT))
    assert json.loads(from_mapping._content)["description"] == MAPPING["description"]


def test_seeds_may_be_a_range_or_an_array():
    plain = {"name": "s", "datasets": "moons", "objectives": "mle"}
    expected = trials(qhn.load_sweep({**plain, "seeds": [3, 4, 5]}))
    for seeds in (range(3, 6), np.arange(3, 6), (3, np.int32(4), 5)):
        assert trials(qhn.load_sweep({**plain, "seeds": seeds})) == expected


def test_all_mistakes_are_told_together_each_with_its_place():
    mapping = {
        "name": "bad name",
        "datasets": ["moon", {"name": "moons", 3: 4}],
        "objectives": [{"name": "elbo", "lambda": [float("nan"), 1.0]}, {"mle"}],
        "seeds": Decimal(3),
        "trainig": {},
    }
    with pytest.raises(SpecError) as caught:
        qhn.load_sweep(mapping)
    error = caught.value
    assert isinstance(error, InvalidSpecError)
    told = {mistake.path: mistake.message for mistake in error.mistakes}
    assert told["objectives[0].lambda[0]"] == "must be a finite number, but got nan"
    assert "but got {'mle'} of type set" in told["objectives[1]"]
    assert "but got Decimal('3') of type Decimal" in told["seeds"]
    assert told["datasets[1]"] == "a key must be text, but got 3"
    assert {"name", "datasets[0]", "trainig"} <= told.keys()
    assert len(told) == len(error.mistakes) == 7
    assert "the sweep has 7 mistakes" in str(error)
    assert "line" not in str(error)  # of a text that nobody has seen


def test_what_has_no_end_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(SpecError, match="nested deeper than 20 levels"):
        qhn.load_sweep({"name": "x", "datasets": endless, "objectives": "mle", "seeds": 1})


def test_half_a_character_is_refused_with_its_place():
    with pytest.raises(SpecError, match="name: "):
        qhn.load_sweep({"name": "a\ud800", "datasets": "moons", "objectives": "mle", "seeds": 1})


@pytest.mark.parametrize("source", [None, 3, ["name"], b"sweep.yaml"])
def test_what_is_neither_path_nor_mapping_is_refused(source):
    with pytest.raises(InvalidValueError, match="path of a sweep file, or a mapping"):
        qhn.load_sweep(source)


def test_a_file_that_is_not_there_is_one_message():
    with pytest.raises(SpecError, match="cannot read the sweep file"):
        qhn.load_sweep(Path("no-such-file.yaml"))


def test_a_plan_is_a_table_of_settings():
    plan = qhn.load_sweep(MAPPING).plan()
    table = plan.to_frame()
    assert list(table.columns[:5]) == ["trial_id", "group_id", "group", "seed", "data_seed"]
    assert "status" not in table and "nll" not in table
    assert list(table.trial_id) == [trial.trial_id for trial in plan.trials]
    assert set(table.group) == set(plan.groups.values())
    assert str(table["seed"].dtype) == "int64"
    assert table["objective.lambda.value"].dropna().unique().tolist() == [0.5, 1e-5, 3.0]
    assert "48 trials in 16 groups" in repr(plan)
