"""How many samples each circuit is run for: the same number at every step, or one by a schedule.

Early in a training the gradient is large and a few shots show its direction; near a minimum it
drowns in their noise. So shots that grow are spent where they are needed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from statistics import fmean
from typing import Any, Self

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.schedules import Schedule, make_schedule

#: The largest number of samples of one circuit. More than that no provider takes in one job.
MAX_SHOTS = 10**7
_MARGIN = 1e-6
# At how many steps a schedule is looked at for its mean.
_LOOKED_AT = 256
# The fields of schedules that are not numbers of shots.
_SHAPES = ("over", "cycles")


def check_shots(shots: int) -> int:
    """Check a number of samples of each circuit, and return it.

    Raises:
        InvalidValueError: if it is not a whole number from 1 to `MAX_SHOTS`.
    """
    count = check_count("shots", shots)
    if count > MAX_SHOTS:
        raise InvalidValueError(f"`shots <= {MAX_SHOTS}` must hold, but got shots={shots}")
    return count


@dataclass(frozen=True)
class ShotSchedule:
    """Shots that change during training, by any schedule of `qhn.core.objectives.schedules`.

    Attributes:
        schedule: gives a number at each step. It is rounded to the nearest whole number, and
            halves are rounded up.

    Raises:
        InvalidValueError: if the schedule leaves the range from 1 to `MAX_SHOTS`, or if it changes
            and begins or ends at a single shot.

    Example:
        >>> schedule = ShotSchedule.of({"schedule": "exponential", "start": 64, "end": 1024})
        >>> [schedule.at(step, 250) for step in (0, 100, 200, 250)]
        [64, 256, 1024, 1024]
    """

    schedule: Schedule

    def __post_init__(self) -> None:
        for count in (self.smallest, self.largest):
            check_shots(count)
        if self.smallest < 2 <= self.largest:
            # One shot has no standard errors, so that reports would change their metrics midway.
            raise InvalidValueError(
                f"shots that change must be at least 2 at every step, but got {self}"
            )

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """The schedule that a mapping describes: its kind as ``schedule``, and its fields.

        Raises:
            InvalidValueError: if there is no such schedule, or a value is out of its range.
        """
        rest = dict(content)
        kind = rest.pop("schedule", None)
        try:
            return cls(make_schedule(kind, **rest))
        except TypeError as error:
            raise InvalidValueError(
                f"a schedule of shots must have all its numbers, but got {dict(content)}: {error}"
            ) from None

    def at(self, step: int, total_steps: int) -> int:
        """The shots of each circuit at ``step`` of ``total_steps``."""
        return _rounded(self.schedule.at(step, total_steps))

    @property
    def smallest(self) -> int:
        """The least number of shots that a step may have."""
        return _rounded(min(self._ends()))

    @property
    def largest(self) -> int:
        """The largest number of shots that a step may have."""
        return _rounded(max(self._ends()))

    def _ends(self) -> list[float]:
        """The numbers between which the schedule moves; all schedules are monotone in between."""
        described: Any = self.schedule
        return [getattr(described, f.name) for f in fields(described) if f.name not in _SHAPES]

    def __str__(self) -> str:
        """A short ASCII name for labels, such as ``64->1024``."""
        described: Any = self.schedule
        over = next((f for f in fields(described) if f.name == "over"), None)
        text = self.schedule.label(lambda number: repr(number).removesuffix(".0"))
        if over is None or described.over == over.default:
            return text
        return f"{text},over={described.over:g}"


#: What may be said about shots: one number, or a schedule.
Shots = int | ShotSchedule


def as_shots(value: int | Mapping[str, Any] | ShotSchedule) -> Shots:
    """Check shots, and give them their only form: a schedule that never changes is a number.

    Args:
        value: a whole number, a schedule, or the mapping that describes one.

    Raises:
        InvalidValueError: if it is none of these, or is out of its range.
    """
    if isinstance(value, Mapping):
        value = ShotSchedule.of(value)
    if not isinstance(value, ShotSchedule):
        return check_shots(value)
    # The same training must not have two identities.
    return value.smallest if value.smallest == value.largest else value


def shots_at(shots: Shots, step: int, total_steps: int) -> int:
    """The shots of each circuit at ``step`` of ``total_steps``."""
    return shots.at(step, total_steps) if isinstance(shots, ShotSchedule) else shots


def smallest_shots(shots: Shots) -> int:
    """The least number of shots that a step may have."""
    return shots.smallest if isinstance(shots, ShotSchedule) else shots


def largest_shots(shots: Shots) -> int:
    """The largest number of shots that a step may have."""
    return shots.largest if isinstance(shots, ShotSchedule) else shots


def total_shots(
    shots: Shots, total_steps: int, begun: int = 0, at_steps: Collection[int] | None = None
) -> int:
    """The shots of one circuit over a training, summed over its steps.

    Args:
        shots: the shots of each step.
        total_steps: the number of updates. At the last step the circuits are run once more, for
            the final report.
        begun: how many updates were made before.
        at_steps: the steps at which the circuit is run; None for all from ``begun`` on.
    """
    steps = range(begun, total_steps + 1) if at_steps is None else at_steps
    if not isinstance(shots, ShotSchedule):
        return shots * len(steps)
    return sum(shots.at(step, total_steps) for step in steps)


@cache
def mean_shots(shots: Shots, total_steps: int) -> float:
    """About how many shots of a circuit a step has on average, without looking at every step."""
    if not isinstance(shots, ShotSchedule):
        return float(shots)
    points = min(total_steps, _LOOKED_AT) or 1
    return fmean(shots.at(total_steps * k // points, total_steps) for k in range(points + 1))


def _rounded(number: float) -> int:
    # Powers and cosines may differ in their last digits from machine to machine. The margin keeps
    # such differences from deciding whether a half is rounded up.
    return math.floor(number + 0.5 + _MARGIN)
