"""Schedules: how λ changes during training, as plain data.

Every schedule has a method ``at(step, total_steps)``, which gives the value at a step in
[0, total_steps]. In the formulas below t = step / total_steps. `SCHEDULES` lists all schedules. All
code that reads, names or builds a schedule takes its kind and its fields from there.

In our measurements a decay from a large to a small λ halved the spread over seeds. The paper uses a
constant λ (arXiv 2506.05888).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError

#: A function that writes a float for a label, for example with four digits.
FormatNumber = Callable[[float], str]


class Schedule(Protocol):
    """A value that depends on the step.

    Attributes:
        kind: the schedule's name in sweep files, a key of `SCHEDULES`.
    """

    kind: ClassVar[str]

    def at(self, step: int, total_steps: int) -> float:
        """The value at ``step`` of ``total_steps``."""

    def label(self, number: FormatNumber) -> str:
        """A short ASCII name for tables and legends, in which ``number`` writes the floats."""


def _fraction(step: int, total_steps: int, over: float = 1.0) -> float:
    """How much of the first part of training (``over``, as a fraction) has passed, in [0, 1]."""
    return min(1.0, step / (over * total_steps)) if total_steps > 0 else 1.0


def _check(schedule: object) -> None:
    """Check that all fields are finite and not negative, and that ``over`` is in (0, 1]."""
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

    kind: ClassVar[str] = "constant"
    value: float

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``value``."""
        return self.value

    def label(self, number: FormatNumber) -> str:
        """A label such as ``1``."""
        return number(self.value)


@dataclass(frozen=True)
class Warmup:
    """Linear from ``start`` to ``value`` in the first part ``over`` of training, then constant."""

    kind: ClassVar[str] = "warmup"
    value: float
    start: float = 0.0
    over: float = 0.5

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``start + (value − start) · min(1, t / over)``."""
        passed = _fraction(step, total_steps, self.over)
        return (1.0 - passed) * self.start + passed * self.value

    def label(self, number: FormatNumber) -> str:
        """A label such as ``warmup:0->1``."""
        return f"warmup:{number(self.start)}->{number(self.value)}"


@dataclass(frozen=True)
class Exponential:
    """Exponential from ``start`` to ``end`` in the first part ``over`` of training, then constant.

    Both values must be positive.
    """

    kind: ClassVar[str] = "exponential"
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
        # A power of each value instead of a power of their quotient: `start` and `end` are reached
        # exactly, and the quotient cannot overflow.
        return float(self.start ** (1.0 - passed) * self.end**passed)

    def label(self, number: FormatNumber) -> str:
        """A label such as ``30->0.3``."""
        return f"{number(self.start)}->{number(self.end)}"


@dataclass(frozen=True)
class Cosine:
    """Half a cosine wave from ``start`` to ``end`` over the whole of training."""

    kind: ClassVar[str] = "cosine"
    start: float
    end: float

    def __post_init__(self) -> None:
        _check(self)

    def at(self, step: int, total_steps: int) -> float:
        """``start + (end − start) · (1 − cos πt) / 2``."""
        passed = (1.0 - math.cos(math.pi * _fraction(step, total_steps))) / 2.0
        return (1.0 - passed) * self.start + passed * self.end

    def label(self, number: FormatNumber) -> str:
        """A label such as ``cosine:10->0``."""
        return f"cosine:{number(self.start)}->{number(self.end)}"


@dataclass(frozen=True)
class Cyclic:
    """``cycles`` whole cosine waves, each from ``low`` up to ``high`` and back to ``low``."""

    kind: ClassVar[str] = "cyclic"
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

    def label(self, number: FormatNumber) -> str:
        """A label such as ``cyclic:0.1-3x4``."""
        return f"cyclic:{number(self.low)}-{number(self.high)}x{self.cycles}"


#: Every schedule by its kind. Messages list the kinds in this order.
SCHEDULES: dict[str, type[Schedule]] = {
    schedule.kind: schedule for schedule in (Constant, Warmup, Exponential, Cosine, Cyclic)
}


def make_schedule(kind: str, **values: float) -> Schedule:
    """Make a schedule of one kind with the given fields.

    Raises:
        InvalidValueError: if there is no such kind, if it has no such field, or if a value is out
            of its range.

    Example:
        >>> make_schedule("cosine", start=10.0, end=0.0).at(125, 250)
        5.0
    """
    if kind not in SCHEDULES:
        raise InvalidValueError(
            f"a schedule must be one of {', '.join(SCHEDULES)}, but got {kind!r}"
        )
    schedule: Any = SCHEDULES[kind]
    allowed = [field.name for field in fields(schedule)]
    if not set(values) <= set(allowed):
        raise InvalidValueError(
            f"a {kind} schedule has the fields {', '.join(allowed)}, "
            f"but got {', '.join(sorted(values))}"
        )
    made: Schedule = schedule(**values)
    return made
