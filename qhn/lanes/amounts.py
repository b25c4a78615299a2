"""What a job takes from a lane: shots, seconds of the processor, money."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError


def check_amount(name: str, value: float, *, above_zero: bool = False) -> None:
    """Check that a number is finite and not negative.

    Args:
        name: what messages call the number.
        value: the number.
        above_zero: whether zero is refused as well.

    Raises:
        InvalidValueError: if it is not such a number.
    """
    rule = f"`{name} > 0`" if above_zero else f"`{name} >= 0`"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise InvalidValueError(f"{rule} must hold, with a finite number, but got {name}={value!r}")


@dataclass(frozen=True)
class Usage:
    """What was used, or is going to be used.

    Attributes:
        shots: executions of circuits: the sum of shots over all circuits.
        qpu_seconds: seconds for which the quantum processor works and is billed.
        cost: money, in the currency of the lane's prices.

    Raises:
        InvalidValueError: if a number is negative or not finite.
    """

    shots: int = 0
    qpu_seconds: float = 0.0
    cost: float = 0.0

    def __post_init__(self) -> None:
        # A machine makes several of these for each event, so that whole numbers and plain floats,
        # which is what they nearly always are, are let through first.
        if type(self.shots) is not int or self.shots < 0:
            check_count("shots", self.shots, least=0)
        for name in ("qpu_seconds", "cost"):
            value = getattr(self, name)
            if type(value) is not float or not 0.0 <= value < math.inf:
                check_amount(name, value)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.shots + other.shots,
            self.qpu_seconds + other.qpu_seconds,
            self.cost + other.cost,
        )

    def divide(self, wanted: Sequence[Usage]) -> tuple[Usage, ...]:
        """Divide it among those who shared one job, in proportion to what each had wanted.

        Args:
            wanted: what each of them had wanted, at least one.

        Returns:
            As many parts. Their shots add up exactly, the other numbers up to rounding.
        """
        shots = _proportions([part.shots for part in wanted])
        seconds = _proportions([part.qpu_seconds for part in wanted])
        # Rounding the running sums, and not the parts, keeps the sum of the parts what it was.
        ends = [round(self.shots * share) for share in accumulate(shots[:-1])]
        return tuple(
            Usage(end - begin, self.qpu_seconds * share, self.cost * share)
            for (begin, end), share in zip(pairwise([0, *ends, self.shots]), seconds, strict=True)
        )


def total(usages: Iterable[Usage]) -> Usage:
    """The sum; nothing used where there are none."""
    return sum(usages, start=Usage())


def _proportions(weights: Sequence[float]) -> list[float]:
    whole = sum(weights)
    if whole <= 0:
        return [1.0 / len(weights)] * len(weights)
    return [weight / whole for weight in weights]
