"""Landscapes on many planes, and the command that draws them."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.landscape.planes import landscape, random_plane
from qhn.core.objectives.objective import Objective
from qhn.reports.terrain import Terrain, explore
from qhn.sweeps.config import factory
from qhn.sweeps.config.sections import ObjectiveConfig
from qhn.sweeps.config.trial import TrialConfig

CONFIG = TrialConfig.model_validate(
    {
        "dataset": {"name": "moons", "train": 10, "test": 10},
        "network": {"hidden": 1},
        "objective": {"name": "mle"},
        "training": {"steps": 30},
        "seed": 0,
    }
)
ELBO = {"name": "elbo", "lambda": {"schedule": "constant", "value": 3.0}}
OBJECTIVES = tuple(
    (str(part["name"]), ObjectiveConfig.model_validate(part)) for part in ({"name": "mle"}, ELBO)
)
SMALL = {"planes": 3, "points": 7, "starts": 2}


def terrain(**changes):
    return Terrain(CONFIG, OBJECTIVES, **{**SMALL, **changes})


def test_the_first_plane_is_the_landscape_of_the_objectives():
    centre = np.full(factory.ansatz(CONFIG).parameter_shape, 0.4)
    found = explore(terrain(centre=centre, seed=7))
    problem, ansatz = factory.problem(CONFIG), factory.ansatz(CONFIG)
    objectives = [(Objective.of("mle", problem), 0.0), (Objective.of("elbo", problem), 3.0)]
    plane = random_plane(ansatz, centre, 7, 0)
    expected = landscape(plane, Engine(ansatz), objectives, np.pi, 7)
    for ours, theirs in zip(found.first.values, expected.values, strict=True):
        assert (ours == theirs).all()
    assert [len(of_planes) for of_planes in found.measures] == [3, 3]


def test_the_answers_do_not_depend_on_how_the_work_is_divided():
    def backwards(function, numbers):
        answers = {number: function(number) for number in reversed(numbers)}
        return [answers[number] for number in numbers]

    one, other = explore(terrain()), explore(terrain(), backwards)
    assert one.measures == other.measures
    assert all((a == b).all() for a, b in zip(one.finals, other.finals, strict=True))


def test_starts_end_where_training_ends():
    found = explore(terrain(planes=1))
    mle, elbo = found.finals
    assert mle.shape == elbo.shape == (2,)
    # Whatever the start, no network is better than the best one.
    assert (mle >= factory.problem(CONFIG).nll.min()).all()
    summary = found.summary(tolerance=1e3)
    assert [row["optima"] for row in summary] == [1, 1]


def test_what_has_no_landscape_is_refused():
    decay = {**ELBO, "lambda": {"schedule": "exponential", "start": 3.0, "end": 1.0}}
    with pytest.raises(InvalidValueError, match="needs a constant λ, but that of x changes"):
        Terrain(CONFIG, (("x", ObjectiveConfig.model_validate(decay)),))
    large = CONFIG.model_copy(update={"network": CONFIG.network.model_copy(update={"hidden": 5})})
    with pytest.raises(InvalidValueError, match="at most 18 qubits, but the circuit has 22"):
        Terrain(large, OBJECTIVES)


def test_the_command_writes_figure_and_numbers(qhn):
    options = ["--planes", 2, "--points", 5, "--starts", 1, "--steps", 5, "--hidden", 1]
    output = qhn("landscape", *options, "--out", qhn.folder / "land", "--elbo", 2)
    assert "Means over 2 planes" in output
    folder = qhn.folder / "land"
    ElementTree.fromstring((folder / "landscape.svg").read_text())
    numbers = json.loads((folder / "landscape.json").read_text(), parse_constant=pytest.fail)
    assert [one["objective"] for one in numbers["objectives"]] == [
        "mle",
        "elbo lambda=2",
        "selbo lambda=30",
    ]
    with np.load(folder / "landscape.npz", allow_pickle=False) as arrays:
        assert arrays["values_0"].shape == (5, 5)
    refused = qhn("landscape", "--elbo", -1, "--out", qhn.folder / "no", code=2)
    assert "λ must be at least 0" in refused
    assert "no trial 'abcdef'" in qhn("landscape", "--trial", "abcdef", code=2)
