"""How the regularisation strength λ changes over training, as plain data.

Every schedule has ``at(step, total_steps)``, the value at a step in [0, total_steps]. In what
follows t = step / total_steps. Decay from strong to weak is what halved the spread over seeds in
our measurements; constant λ is the paper's choice (arXiv 2506.05888).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Protocol

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError


class Schedule(Protocol):
    """A value that depends on the step."""

    def at(self, step: int, total_steps: int) -> float:
        """The value at ``step`` of ``total_steps``."""


def _fraction(step: int, total_steps: int, over: float = 1.0) -> float:
    """Part of the first ``over`` of training that has passed, in [0, 1]."""
    return min(1.0, step / (over * total_steps)) if total_steps > 0 else 1.0


def _check(schedule: object) -> None:
    """Finite, not negative, and ``over`` in (0, 1]."""
    for field in fields(schedule):  # type: ignore[arg-type]
        value = getattr(schedule, field.name)
        if not (math.isfinite(value) and value >= 0):
            raise InvalidValueError(
                f"`{field.name} >= 0` and finite must hold, but got {field.name}={value}"
            )
        if field.name == "over" and not 0 < value <= 1:
            raise InvalidValueError(f"`0 < over <= 1` must hold, but got over={value}")


@dataclass(frozen=True)
class Constant:
    """The same value at every step."""

    value: float

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``value``."""
        return self.value


@dataclass(frozen=True)
class Warmup:
    """Linear from ``start`` to ``value`` over the first ``over`` of training, then constant."""

    value: float
    start: float = 0.0
    over: float = 0.5

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``start + (value − start) · min(1, t / over)``."""
        passed = _fraction(step, total_steps, self.over)
        return (1.0 - passed) * self.start + passed * self.value


@dataclass(frozen=True)
class Exponential:
    """Geometric from ``start`` to ``end`` over the first part ``over`` of training, then constant.

    Both ends must be positive.
    """

    start: float
    end: float
    over: float = 0.8

    def __post_init__(self) -> None:
        _check(self)
        for name, value in (("start", self.start), ("end", self.end)):
            if value <= 0:
                raise InvalidValueError(
                    f"`{name} > 0` must hold for exponential decay, but got {name}={value}; "
                    "the cosine schedule reaches 0"
                )

    def at(self, step: int, total_steps: int) -> float:
        """``start · (end / start)^min(1, t / over)``."""
        passed = _fraction(step, total_steps, self.over)
        # One power of each end: both are met exactly, and no quotient can overflow.
        return float(self.start ** (1.0 - passed) * self.end**passed)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine wave from ``start`` to ``end`` over the whole of training."""

    start: float
    end: float

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``start + (end − start) · (1 − cos πt) / 2``."""
        passed = (1.0 - math.cos(math.pi * _fraction(step, total_steps))) / 2.0
        return (1.0 - passed) * self.start + passed * self.end


@dataclass(frozen=True)
class Cyclic:
    """``cycles`` whole cosine waves: ``low`` at both ends of each cycle, ``high`` in its middle."""

    low: float
    high: float
    cycles: int = 4

    def __post_init__(self) -> None:
        _check(self)
        if self.low > self.high:
            raise InvalidValueError(
                f"`low <= high` must hold, but got (low={self.low}, high={self.high})"
            )
        check_count("cycles", self.cycles)

    def at(self, step: int, total_steps: int) -> float:
        """``low + (high − low) · (1 − cos(2π · cycles · t)) / 2``."""
        angle = 2.0 * math.pi * self.cycles * _fraction(step, total_steps)
        passed = (1.0 - math.cos(angle)) / 2.0
        return (1.0 - passed) * self.low + passed * self.high
