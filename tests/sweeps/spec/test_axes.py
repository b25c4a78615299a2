"""Data sets with lists of sizes and of label noise."""

import pytest
from jsonschema import validate

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, parse_spec
from qhn.sweeps.spec.schema import json_schema

REST = "name: x\nobjectives: mle\nseeds: 1\n"


@pytest.mark.parametrize(
    "entry",
    [
        "datasets: {name: moons, train: [50, 100], label_noise: [0, 0.1], test: 30}",
        "datasets:\n  - name: moons\n    train: [50, 100]\n    label_noise: [0, 0.1]\n    test: 30",
    ],
)
def test_each_combination_is_a_data_set(entry):
    spec = parse_spec(REST + entry)
    found = [(d.train, d.label_noise, d.test) for d in spec.datasets]
    assert found == [(50, None, 30), (50, 0.1, 30), (100, None, 30), (100, 0.1, 30)]
    same = ", ".join(
        f"{{name: moons, train: {train}, label_noise: {noise}, test: 30}}"
        for train in (50, 100)
        for noise in (0, 0.1)
    )
    plans = [make_plan(parse_spec(text)) for text in (REST + entry, f"{REST}datasets: [{same}]")]
    assert plans[0].trials == plans[1].trials
    assert plans[0].groups[plans[0].trials[1].group_id] == "moons label-noise=0.1 train=50 mle"
    validate(
        {
            "name": "x",
            "objectives": "mle",
            "seeds": 1,
            "datasets": [{"name": "moons", "train": [50, 100], "label_noise": [0, 0.1]}],
        },
        json_schema(),
    )


def test_other_entries_stay_where_they_are():
    spec = parse_spec(f"{REST}datasets: [ring, {{name: moons, train: [5, 6]}}, gaussian]")
    assert [d.name for d in spec.datasets] == ["ring", "moons", "moons", "gaussian"]


def test_mistakes_have_the_line_of_the_value():
    text = REST + (
        "datasets:\n- ring\n- name: moons\n  train:\n  - 50\n  - 0\n  label_noise: [0.1, 0.7]\n"
        "  nose: 3\n- {name: digits, train: [400]}\n- {name: moons, train: []}\n"
    )
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(text)
    said = str(caught.value)
    assert "line 9: datasets[3].train: must be at least 1, but got 0" in said
    assert "line 10: datasets[2].label_noise: must be at most 0.5, but got 0.7" in said
    assert said.startswith("the sweep file has 5 mistakes")
    assert "line 11: datasets[1].nose: unknown key" in said
    assert "line 12: datasets[5]" in said and "train=400" in said
    assert "line 13: datasets[6].train: must be a whole number, but got a list of 0 items" in said


def test_a_file_that_asks_for_too_many_is_refused():
    many = ", ".join(map(str, range(1, 201)))
    noise = ", ".join(str(i / 1000) for i in range(200))
    text = f"{REST}datasets: {{name: moons, train: [{many}], label_noise: [{noise}]}}"
    with pytest.raises(InvalidSpecError, match="asks for 40,000 data sets"):
        parse_spec(text)
