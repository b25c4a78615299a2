"""Planes in the space of a circuit's angles, and the values of objectives on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.checks import check_count
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.objective import Objective
from qhn.core.seeds import Purpose, stream


@dataclass(frozen=True)
class Plane:
    """The points θ(s, t) = centre + s · first + t · second.

    Attributes:
        centre: angles in radians, shape ``(depth, 2, N)``.
        first: a direction of the same shape.
        second: another one.
    """

    centre: FloatArray
    first: FloatArray
    second: FloatArray

    def __post_init__(self) -> None:
        shapes = {np.shape(x) for x in (self.centre, self.first, self.second)}
        if len(shapes) != 1:
            raise InvalidValueError(
                f"the centre and both directions must have the same shape, but got {shapes}"
            )
        for name in ("centre", "first", "second"):
            if not np.isfinite(getattr(self, name)).all():
                raise InvalidValueError(f"the {name} of a plane must be finite, but is not")

    def at(self, s: float, t: float) -> FloatArray:
        """The angles at one point."""
        return np.asarray(self.centre + s * self.first + t * self.second)


def random_plane(ansatz: Ansatz, centre: FloatArray, seed: int, number: int = 0) -> Plane:
    """A plane through a point, in two random directions that are orthogonal to each other.

    Both are drawn from a normal distribution, made orthogonal (Gram-Schmidt), and scaled so that
    their root mean square is 1. So moving by s changes an angle by s radians in the root mean
    square, whatever the number of angles, and planes of circuits of different size are comparable.
    (A direction of length 1 would move each of 56 angles by less and less as circuits grow.)

    Args:
        ansatz: the circuit.
        centre: angles in radians, shape ``(depth, 2, N)``.
        seed: decides the directions.
        number: which of the planes of this seed.
    """
    rng = stream(seed, Purpose.DIRECTIONS, number)
    shape = ansatz.parameter_shape
    first, second = rng.standard_normal((2, *shape))
    second = second - first * (first * second).sum() / (first * first).sum()
    size = np.sqrt(first.size)
    first, second = (x * size / np.linalg.norm(x) for x in (first, second))
    return Plane(np.asarray(centre, dtype=np.float64), first, second)


@dataclass(frozen=True)
class Landscape:
    """Values on a square grid of a plane.

    Attributes:
        steps: the coordinates s and t, in radians in the root mean square, shape ``(n,)``.
        values: one array for each objective, shape ``(n, n)``, the first index for s.
    """

    steps: FloatArray
    values: tuple[FloatArray, ...]


def landscape(
    plane: Plane,
    engine: Engine,
    objectives: Sequence[tuple[Objective, float]],
    extent: float = np.pi,
    points: int = 41,
) -> Landscape:
    """The values of objectives on a plane (as in Fig. 6 of arXiv 2506.05888).

    The distribution is computed once for each point, and serves all objectives. Values are exact,
    in nats per datum.

    Args:
        plane: the plane.
        engine: simulates the circuit.
        objectives: each with its λ. SELBO must use the closed form of MMD², since estimates have
            noise of their own.
        extent: s and t go from −extent to extent.
        points: the number of values of s and of t, at least 3.

    Raises:
        InvalidValueError: if a value is out of its range, or SELBO samples the prior.
    """
    if check_count("points", points) < 3:
        raise InvalidValueError(f"`points >= 3` must hold, but got points={points}")
    if not (np.isfinite(extent) and extent > 0):
        raise InvalidValueError(f"`extent > 0` must hold, but got extent={extent}")
    if any(objective.prior_samples is not None for objective, _ in objectives):
        raise InvalidValueError(
            "a landscape needs the closed form of MMD², but an objective draws prior samples; "
            "leave prior_samples out"
        )
    steps = np.linspace(-extent, extent, points)
    values = np.empty((len(objectives), points, points))
    for i, j in np.ndindex(points, points):
        q = engine.probabilities(plane.at(float(steps[i]), float(steps[j])))
        for k, (objective, lambda_) in enumerate(objectives):
            values[k, i, j] = objective.value_and_observable(q, lambda_)[0]
    return Landscape(steps, tuple(values))


def distinct(values: NDArray[np.float64], tolerance: float) -> int:
    """How many different values there are, if values closer than a tolerance count as the same.

    Sorted values belong together as long as each is closer than the tolerance to the one before.

    Args:
        values: the final objectives of several trainings, shape ``(n,)``.
        tolerance: in the unit of the values.

    Example:
        >>> distinct(np.array([0.3, 0.1, 0.30001, 0.5]), 1e-3)
        3
    """
    found = np.sort(np.asarray(values, dtype=np.float64))
    return int(1 + (np.diff(found) >= tolerance).sum()) if len(found) else 0
