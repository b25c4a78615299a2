"""What a file says for people, or to no effect: neither changes a trial."""

from __future__ import annotations

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, notes, parse_spec
from qhn.sweeps.spec.notes import UNUSED_KEYS

SPEC = """\
name: x
datasets: moons
objectives: [mle, {name: elbo, lambda: 1}, {name: selbo, lambda: 1, prior_samples: 64}]
seeds: 2
"""
UNUSED = """\
name: x
datasets: moons
objectives:
  - {name: mle, lambda: [1, 3]}
  - mle
  - name: elbo
    lambda: 1
    bandwidth: 2
    prior_samples: 64
  - {name: selbo, lambda: 1, bandwidth: 2, prior_samples: 64}
seeds: 2
"""


def test_what_each_objective_does_not_use():
    assert UNUSED_KEYS == {
        "mle": ("lambda", "bandwidth", "prior_samples"),
        "elbo": ("bandwidth", "prior_samples"),
        "selbo": (),
        "kale": (),
    }


def test_each_setting_that_does_nothing_has_a_note_with_its_line():
    end = "changes nothing and can be left out"
    assert [str(note) for note in notes(UNUSED)] == [
        f"line 4: objectives[0].lambda: mle uses the loss alone, so lambda {end}",
        f"line 8: objectives[2].bandwidth: elbo uses λ alone, so bandwidth {end}",
        f"line 9: objectives[2].prior_samples: elbo uses λ alone, so prior_samples {end}",
    ]


def test_an_objective_that_stands_alone_is_looked_at():
    text = "{name: x, datasets: moons, seeds: 1, objectives: {name: mle, bandwidth: 3}}"
    assert [note.path for note in notes(text)] == ["objectives.bandwidth"]


def test_where_all_settings_are_used_there_are_no_notes():
    assert notes(SPEC) == []


def test_a_file_with_mistakes_is_refused():
    with pytest.raises(InvalidSpecError, match="seeds: must be at least 1"):
        notes(SPEC.replace("seeds: 2", "seeds: 0"))


def test_description_and_tags_change_no_trial():
    bare = make_plan(parse_spec(SPEC))
    told = make_plan(parse_spec(SPEC + "description: A first look.\ntags: {project: a, year: 2}\n"))
    assert told.trials == bare.trials
    assert told.groups == bare.groups
    assert (told.description, told.tags) == ("A first look.", {"project": "a", "year": "2"})
    # Results and their digest are kept under the trial's id and content, which are the same.
    assert [t.config.to_json() for t in told.trials] == [t.config.to_json() for t in bare.trials]


def test_tasks_that_are_drawn_from_the_same_points_overlap():
    text = SPEC.replace("datasets: moons", "datasets: [moons, {name: digits, train: 50}]")
    assert notes(text) == []
    (note,) = notes(f"{text}data_seeds: 3\n")
    assert str(note).startswith("line 2: datasets[1]: all tasks are drawn from the same 360 points")
