"""The schema that editors read agrees with the parser, which decides."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from jsonschema import Draft202012Validator

from qhn.core.errors import SpecError
from qhn.devices import DEVICES
from qhn.devices.kinds import Exact
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.spec.document import read_document
from qhn.sweeps.spec.schema import json_schema

FILES = sorted((Path(__file__).parents[3] / "sweeps").rglob("*.yaml"))
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

WHOLE = """
name: whole
description: What this is for.
tags: {project: hypernetworks, version: 2, final: true}
datasets: [gaussian, {name: moons, noise: 0.2, train: 100, test: 1000, seed: 1}, {name: digits}]
networks: [{kind: mlp, hidden: 3}, logistic]
ansatze: [{entangler: chain, depth: 2, entanglers_first: false}, ring]
objectives:
  - mle
  - {name: elbo, lambda: [1, {schedule: exponential, start: 30, end: 0.3, over: 0.8}]}
  - name: selbo
    lambda:
      - {schedule: constant, value: 3}
      - {schedule: warmup, value: 3}
      - {schedule: cosine, start: 3, end: 0}
      - {schedule: cyclic, low: 0, high: 3, cycles: 2}
    bandwidth: [n/4, 2.0, median]
    prior_samples: [closed form, 64]
devices: [exact]
seeds: {first: 20, count: 5}
training: {steps: 250, optimiser: sgd, learning_rate: [0.1, 1], report_every: 10, best_of: 64}
search: grid
early_stopping: {kind: asha, metric: nll, grace_steps: 50, reduction_factor: 3}
time_limit: 1.5h
"""
DRAWN = """
name: drawn
datasets: moons
networks: mlp
ansatze: chain
objectives:
  name: selbo
  lambda: [{distribution: choice, values: [1, {schedule: warmup, value: 3}]}, 3]
  bandwidth: {distribution: choice, values: n/4}
  prior_samples: 64
device: {name: exact}
seeds: [3, 1]
training: {learning_rate: {distribution: loguniform, low: 0.01, high: 1}}
search: {kind: random, draws: 50, seed: 0}
early_stopping: asha
time_limit: 600
"""
SHORT = "{name: s, datasets: ring, objectives: mle, seeds: 1, training: {learning_rate: 1}}"
UNUSED = "{name: u, datasets: ring, objectives: {name: mle, lambda: 3, bandwidth: null}, seeds: 1}"
RIGHT = [WHOLE, DRAWN, SHORT, UNUSED]


def content(text):
    return read_document(text, "a test").content


def accepted_by_parser(text):
    try:
        parse_spec(text)
    except SpecError:
        return False
    return True


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [*RIGHT, *(file.read_text() for file in FILES)])
def test_what_the_parser_accepts_it_accepts(text):
    assert accepted_by_parser(text)
    assert [str(error) for error in VALIDATOR.iter_errors(content(text))] == []


WRONG = {
    "no name": "{datasets: ring, objectives: mle, seeds: 1}",
    "no seeds": "{name: x, datasets: ring, objectives: mle}",
    "a path as a name": "name: a/b",
    "a name that MLflow has": "name: Default",
    "tags in a list": "tags: [a]",
    "a reserved tag": "tags: {mlflow.user: me}",
    "a tag with a space": "tags: {a b: c}",
    "a list as a tag": "tags: {a: [1]}",
    "a long description": f"description: {'x' * 5001}",
    "an unknown key": "sedes: 3",
    "an unknown key below": "datasets: [{name: ring, nose: 1}]",
    "an unknown data set": "datasets: [moon]",
    "no data sets": "datasets: []",
    "data sets that are numbers": "datasets: [3]",
    "too few points": "datasets: {name: ring, train: 0}",
    "negative noise": "datasets: {name: ring, noise: -1}",
    "an unknown network": "networks: transformer",
    "text for a number": "networks: {kind: mlp, hidden: three}",
    "circuits too deep": "ansatze: {depth: 20000}",
    "elbo without lambda": "objectives: elbo",
    "elbo without lambda in a mapping": "objectives: [{name: elbo}]",
    "no objective's name": "objectives: [{lambda: 3}]",
    "negative lambda": "objectives: {name: elbo, lambda: -1}",
    "lambda as a word": "objectives: {name: elbo, lambda: strong}",
    "a schedule without its kind": "objectives: {name: elbo, lambda: {value: 3}}",
    "an unknown schedule": "objectives: {name: elbo, lambda: {schedule: cos, start: 1, end: 2}}",
    "a schedule without its end": "objectives: {name: elbo, lambda: {schedule: cosine, start: 1}}",
    "exponential from zero": "objectives: {name: elbo, lambda: {schedule: exponential, start: 0, "
    "end: 1}}",
    "a bandwidth of zero": "objectives: {name: selbo, lambda: 1, bandwidth: 0}",
    "an unknown bandwidth": "objectives: {name: selbo, lambda: 1, bandwidth: n/3}",
    "one prior sample": "objectives: {name: selbo, lambda: 1, prior_samples: 1}",
    "an unknown device": "devices: qpu",
    "device and devices": "{device: exact, devices: exact}",
    "no seed": "seeds: 0",
    "an empty list of seeds": "seeds: []",
    "a negative seed": "seeds: [-1]",
    "seeds without a count": "seeds: {first: 3}",
    "seeds in words": "seeds: many",
    "half a step": "training: {steps: 0.5}",
    "a learning rate of zero": "training: {learning_rate: 0}",
    "a misspelt optimiser": "training: {optimiser: adm}",
    "training as a word": "training: fast",
    "random without draws": "search: random",
    "grid with draws": "search: {kind: grid, draws: 3}",
    "search without its kind": "search: {draws: 3}",
    "no time at all": "time_limit: 0m",
    "a time in words": "time_limit: soon",
    "a time below zero": "time_limit: -3",
    "a unit that is not known": "time_limit: 3d",
    "an unknown rule": "early_stopping: hyperband",
    "stopping by test data": "early_stopping: {metric: test_accuracy_mode}",
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_what_the_parser_refuses_it_refuses(change):
    changed = content(change)
    if "objectives" not in changed or len(changed) == 1:
        changed = content(SHORT) | changed
    text = json.dumps(changed)
    assert not accepted_by_parser(text)
    assert not VALIDATOR.is_valid(changed)


@dataclass(frozen=True)
class Dice:
    """A device that is registered later."""

    kind: ClassVar[str] = "dice"
    shots: int
    mitigation: str | None = None

    @property
    def capabilities(self):
        return Exact().capabilities


def test_a_device_that_is_registered_later_is_known(monkeypatch):
    monkeypatch.setitem(DEVICES, "dice", Dice)
    validator = Draft202012Validator(json_schema())
    for devices, right in (
        ("[{name: dice, shots: 100}, exact]", True),
        ("{name: dice, shots: 100, mitigation: none}", True),
        ("dice", False),
        ("{name: dice}", False),
        ("{name: dice, shots: many}", False),
        ("{name: exact, mitigation: zne}", False),
        ("{name: exact, shots: 100}", True),
        ("[exact:100, {name: exact, shots: 100, estimator: spsa}]", True),
        ("{name: exact, shots: 0}", False),
        ("{name: exact, shots: 10000001}", False),
        ("dice:100", False),
    ):
        text = f"{{devices: {devices}, {SHORT[1:]}"
        assert accepted_by_parser(text) == validator.is_valid(content(text)) == right, devices


def places(value, path=()):
    """Every place in a file, as keys and places in lists."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


@pytest.mark.parametrize("text", [WHOLE, DRAWN])
def test_a_value_of_the_wrong_kind_is_refused_wherever_the_parser_refuses_it(text):
    right = content(text)
    disagreements = []
    for path in places(right):
        for wrong in (-7, "nonsense", {"nonsense": 1}):
            changed = copy.deepcopy(right)
            where = changed
            for key in path[:-1]:
                where = where[key]
            if path:
                where[path[-1]] = wrong
            else:
                changed = wrong
            file = json.dumps(changed)
            if accepted_by_parser(file) != VALIDATOR.is_valid(changed):
                disagreements.append((path, wrong))
    assert disagreements == []
