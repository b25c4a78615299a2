"""Landscapes of several objectives on many planes, and the optima that they are trained to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles
from qhn.core.evaluation.problem import Problem
from qhn.core.landscape.planes import Landscape, distinct, landscape, random_plane
from qhn.core.landscape.smoothness import Smoothness, smoothness
from qhn.core.objectives.objective import Objective
from qhn.core.objectives.schedules import Constant
from qhn.core.training.trainer import Trainer
from qhn.sweeps.config import factory
from qhn.sweeps.config.sections import ObjectiveConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.results.statistics import MeanInterval, mean_interval

FORMAT = 1
#: Larger circuits would take minutes for one plane.
MOST_QUBITS = 18
_Answer = TypeVar("_Answer")
#: Calls a function with each of some numbers, here or on other machines, and returns the answers.
Each = Callable[[Callable[[int], Any], Sequence[int]], Iterable[Any]]


@dataclass(frozen=True)
class Terrain:
    """What is to be looked at.

    Attributes:
        config: data, network, circuit, and the training of distinct optima. Its objective and its
            device are not looked at: landscapes are exact.
        objectives: the objectives with constant λ, each with its label.
        centre: angles in radians through which all planes go, shape ``(depth, 2, N)``; None for
            random angles, other ones for each plane.
        seed: decides directions and random centres.
        planes: how many planes there are.
        points: how many values each coordinate takes.
        extent: how far the planes reach from their centre, in radians in the root mean square.
        starts: from how many random angles each objective is trained; 0 for none.
        tolerance: final objectives that are closer than this count as the same optimum, in nats.

    Raises:
        InvalidValueError: if the circuit is too large, or an objective changes λ.
    """

    config: TrialConfig
    objectives: tuple[tuple[str, ObjectiveConfig], ...]
    centre: FloatArray | None = None
    seed: int = 0
    planes: int = 20
    points: int = 41
    extent: float = math.pi
    starts: int = 0
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.config.n_qubits > MOST_QUBITS:
            raise InvalidValueError(
                f"a landscape is computed exactly, on at most {MOST_QUBITS} qubits, but the "
                f"circuit has {self.config.n_qubits}; take a smaller network"
            )
        for label, objective in self.objectives:
            if not isinstance(factory.schedule(objective.lambda_), Constant):
                raise InvalidValueError(
                    f"a landscape needs a constant λ, but that of {label} changes during training; "
                    "give one with --elbo or --selbo"
                )


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        labels: the objectives.
        measures: for each objective the smoothness of each plane.
        first: the landscape of the first plane.
        finals: for each objective the final value from each start, shape ``(starts,)``.
    """

    labels: tuple[str, ...]
    measures: tuple[tuple[Smoothness, ...], ...]
    first: Landscape
    finals: tuple[FloatArray, ...]

    def summary(self, tolerance: float) -> list[dict[str, MeanInterval | int | str]]:
        """Mean and 95% interval over planes of each measure, and the number of distinct optima."""
        rows = []
        for label, of_planes, finals in zip(self.labels, self.measures, self.finals, strict=True):
            row: dict[str, MeanInterval | int | str] = {"objective": label}
            for name in asdict(of_planes[0]):
                row[name] = mean_interval([float(getattr(one, name)) for one in of_planes])
            if len(finals):
                row["optima"] = distinct(finals, tolerance)
            rows.append(row)
        return rows


def here(function: Callable[[int], _Answer], numbers: Sequence[int]) -> list[_Answer]:
    """Call a function with each number, one after the other, in this process."""
    return [function(number) for number in numbers]


def explore(terrain: Terrain, each: Each = here) -> Found:
    """Draw all planes, and train from all starts.

    Args:
        terrain: what is to be looked at.
        each: how the planes and starts are divided. The answers do not depend on it.
    """
    planes = list(each(PlaneWork(terrain), range(terrain.planes)))
    finals = list(each(StartWork(terrain), range(terrain.starts)))
    labels = tuple(label for label, _ in terrain.objectives)
    return Found(
        labels=labels,
        measures=tuple(
            tuple(measures[place] for measures, _ in planes) for place in range(len(labels))
        ),
        first=planes[0][1],
        finals=tuple(np.array([found[place] for found in finals]) for place in range(len(labels))),
    )


class PlaneWork:
    """Draws one plane; it can be sent to another process."""

    def __init__(self, terrain: Terrain) -> None:
        self._terrain = terrain

    def __call__(self, number: int) -> tuple[list[Smoothness], Landscape | None]:
        """The smoothness of each objective on a plane, and for the first one the landscape."""
        terrain = self._terrain
        problem, ansatz = _problem(terrain), factory.ansatz(terrain.config)
        centre = terrain.centre
        if centre is None:
            # Each plane goes through other angles, so that they are independent.
            centre = initial_angles(ansatz, terrain.seed + number)
        plane = random_plane(ansatz, centre, terrain.seed, number)
        found = landscape(
            plane, Engine(ansatz), _objectives(terrain, problem), terrain.extent, terrain.points
        )
        spacing = float(found.steps[1] - found.steps[0])
        measures = [smoothness(values, spacing) for values in found.values]
        return measures, found if number == 0 else None


class StartWork:
    """Trains all objectives from one start; it can be sent to another process."""

    def __init__(self, terrain: Terrain) -> None:
        self._terrain = terrain

    def __call__(self, number: int) -> list[float]:
        """The final value of each objective after training from the angles of a seed."""
        terrain = self._terrain
        problem, training = _problem(terrain), terrain.config.training
        ansatz = factory.ansatz(terrain.config)
        values = []
        for objective, lambda_ in _objectives(terrain, problem):
            trainer = Trainer(
                problem=problem,
                ansatz=ansatz,
                objective=objective,
                best_of=1,
                distribution=Engine(ansatz),
                schedule=Constant(lambda_),
                optimiser=factory.optimiser(training),
                seed=terrain.seed + number,
                steps=training.steps,
                report_every=training.steps,
            )
            while not trainer.finished:
                trainer.advance()
            values.append(trainer.history.last()["objective"])
        return values


def _problem(terrain: Terrain) -> Problem:
    problem = factory.problem(terrain.config)
    assert isinstance(problem, Problem)  # the circuit is small enough for tables
    return problem


def _objectives(terrain: Terrain, problem: Problem) -> list[tuple[Objective, float]]:
    found = []
    for _, part in terrain.objectives:
        schedule = factory.schedule(part.lambda_)
        assert isinstance(schedule, Constant)  # `Terrain` has checked it
        objective = Objective.of(part.name, problem, part.h)
        found.append((objective, schedule.at(0, 1)))
    return found


def terrain_json(terrain: Terrain, found: Found) -> str:
    """All numbers as strict JSON. What is no number, such as an interval of one plane, is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, MeanInterval):
            parts = {"mean": value.mean, "deviation": value.deviation}
            parts |= {"low": value.low, "high": value.high}
            return {name: x if math.isfinite(x) else None for name, x in parts.items()}
        return value

    content = {
        "format": FORMAT,
        "config": terrain.config.content(),
        "planes": terrain.planes,
        "points": terrain.points,
        "extent": terrain.extent,
        "seed": terrain.seed,
        "starts": terrain.starts,
        "tolerance": terrain.tolerance,
        "given_centre": terrain.centre is not None,
        "objectives": [
            {name: plain(value) for name, value in row.items()}
            for row in found.summary(terrain.tolerance)
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
