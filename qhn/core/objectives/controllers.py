"""Controllers: λ that answers to what training does, beside the schedules that are fixed before.

A controller looks at each report of a training and sets λ for the steps until the next one. Its
settings are plain data, and all that it remembers is an array, which is part of a checkpoint. So an
interrupted training continues bit for bit. `CONTROLLERS` lists all controllers.

How to choose λ is an open question of arXiv 2506.05888. Balancing the gradients of two terms is
known from multi-task learning (Chen et al., GradNorm, ICML 2018), lowering a value on a plateau
from learning rates, and steering the entropy of a policy from reinforcement learning (Haarnoja et
al., arXiv 1812.05905).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.schedules import FormatNumber


@dataclass(frozen=True)
class Seen:
    """What a controller may look at after a report.

    Attributes:
        metrics: the metrics of the report by name.
        prior_entropy: N ln 2, in nats.
        loss_gradient: the Euclidean norm of the gradient of the mean nll; None unless the
            controller asks for gradients.
        divergence_gradient: that of the divergence divided by n, which λ multiplies.
    """

    metrics: Mapping[str, float]
    prior_entropy: float
    loss_gradient: float | None = None
    divergence_gradient: float | None = None


class Controller(Protocol):
    """A value that depends on what training has done so far.

    Attributes:
        kind: the controller's name in sweep files, a key of `CONTROLLERS`.
        needs_distribution: whether it needs numbers that only a device with the whole distribution
            gives.
        needs_gradients: whether it needs the gradients of both terms of the objective.
        start: the value until the first report has been seen.
    """

    kind: ClassVar[str]
    needs_distribution: ClassVar[bool]
    needs_gradients: ClassVar[bool]

    @property
    def start(self) -> float:
        """The first value."""

    def begin(self) -> FloatArray:
        """What it remembers before the first report. The first number is the value."""

    def after(self, memory: FloatArray, seen: Seen) -> FloatArray:
        """What it remembers after a report, a new array of the same shape."""

    def label(self, number: FormatNumber) -> str:
        """A short ASCII name for tables and legends, in which ``number`` writes the floats."""


@dataclass(frozen=True)
class EntropyTarget:
    """λ that keeps the entropy of q at a part of the prior's, as far as it can.

    After each report, ``ln λ ← ln λ + gain · (target − H[q] / (N ln 2))``: while q is narrower than
    wanted, λ grows. It stays between ``low`` and ``high``. Where the entropy jumps as λ passes a
    value, a target within the jump makes λ swing around that value.
    """

    kind: ClassVar[str] = "entropy"
    needs_distribution: ClassVar[bool] = True
    needs_gradients: ClassVar[bool] = False
    target: float
    start: float = 1.0
    gain: float = 1.0
    low: float = 0.001
    high: float = 1000.0

    def __post_init__(self) -> None:
        _check_positive(self)
        _check_between(self)
        if not self.target < 1:
            raise InvalidValueError(f"`0 < target < 1` must hold, but got target={self.target}")

    def begin(self) -> FloatArray:
        """λ alone."""
        return np.array([self.start])

    def after(self, memory: FloatArray, seen: Seen) -> FloatArray:
        """λ times ``exp(gain · (target − H / (N ln 2)))``."""
        missing = self.target - seen.metrics["entropy"] / seen.prior_entropy
        # In logarithms, because a large gain would overflow.
        logarithm = math.log(float(memory[0])) + self.gain * missing
        if logarithm >= math.log(self.high):
            return np.array([self.high])
        return np.array([_within(self, math.exp(logarithm))])

    def label(self, number: FormatNumber) -> str:
        """A label such as ``entropy:0.5``."""
        return f"entropy:{number(self.target)}"


@dataclass(frozen=True)
class GradientBalance:
    """λ with which the divergence pulls at the angles as strongly as the loss, times ``ratio``.

    After each report, ``ln λ`` moves by the part ``1 − inertia`` of the way to the logarithm of
    ``ratio · ‖∇ nll‖ / ‖∇ D/n‖``, where D is the divergence of the objective. It stays between
    ``low`` and ``high``. Each report takes two further gradients.
    """

    kind: ClassVar[str] = "balance"
    needs_distribution: ClassVar[bool] = True
    needs_gradients: ClassVar[bool] = True
    ratio: float
    start: float = 1.0
    inertia: float = 0.5
    low: float = 0.001
    high: float = 1000.0

    def __post_init__(self) -> None:
        _check_positive(self, but=("inertia",))
        _check_between(self)
        if not 0 <= self.inertia < 1:
            raise InvalidValueError(f"`0 <= inertia < 1` must hold, but got inertia={self.inertia}")

    def begin(self) -> FloatArray:
        """λ alone."""
        return np.array([self.start])

    def after(self, memory: FloatArray, seen: Seen) -> FloatArray:
        """λ^inertia times (ratio · ‖∇ nll‖ / ‖∇ D/n‖)^(1 − inertia)."""
        loss, divergence = seen.loss_gradient, seen.divergence_gradient
        assert loss is not None
        assert divergence is not None
        if not (loss > 0 and divergence > 0):
            # Where one of them is flat there is nothing to balance.
            return memory.copy()
        wanted = self.ratio * loss / divergence
        mean = float(memory[0]) ** self.inertia * wanted ** (1.0 - self.inertia)
        return np.array([_within(self, mean)])

    def label(self, number: FormatNumber) -> str:
        """A label such as ``balance:1``."""
        return f"balance:{number(self.ratio)}"


@dataclass(frozen=True)
class Plateau:
    """λ that is multiplied by ``factor`` whenever the mean nll has stopped falling.

    That is so when it was not below its lowest value by ``threshold`` nats for ``patience`` reports
    in a row. λ never goes below ``low``.
    """

    kind: ClassVar[str] = "plateau"
    needs_distribution: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = False
    start: float
    factor: float = 0.5
    patience: int = 3
    threshold: float = 0.001
    low: float = 0.001

    def __post_init__(self) -> None:
        _check_positive(self, but=("threshold", "patience"))
        check_count("patience", self.patience)
        if not self.factor < 1:
            raise InvalidValueError(f"`0 < factor < 1` must hold, but got factor={self.factor}")
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise InvalidValueError(f"`threshold >= 0` must hold, but got {self.threshold}")
        if self.start < self.low:
            raise InvalidValueError(f"`low <= start` must hold, but got {self.low} > {self.start}")

    def begin(self) -> FloatArray:
        """λ, the lowest nll so far, and the number of reports since then."""
        return np.array([self.start, math.inf, 0.0])

    def after(self, memory: FloatArray, seen: Seen) -> FloatArray:
        """λ times ``factor`` if the nll has not fallen for long enough."""
        value, best, waited = memory.tolist()
        nll = seen.metrics["nll"]
        if math.isnan(nll):
            # After a training has diverged there is nothing to wait for.
            return memory.copy()
        if nll < best - self.threshold:
            return np.array([value, nll, 0.0])
        if waited + 1 < self.patience:
            return np.array([value, best, waited + 1])
        # With another λ it may fall again, from wherever it is.
        return np.array([max(self.low, value * self.factor), nll, 0.0])

    def label(self, number: FormatNumber) -> str:
        """A label such as ``plateau:30x0.5``."""
        return f"plateau:{number(self.start)}x{number(self.factor)}"


#: Every controller by its kind. Messages list the kinds in this order.
CONTROLLERS: dict[str, type[Controller]] = {
    controller.kind: controller for controller in (EntropyTarget, GradientBalance, Plateau)
}


def make_controller(kind: str, **values: float) -> Controller:
    """Make a controller of one kind with the given fields.

    Raises:
        InvalidValueError: if there is no such kind, or a value is out of its range.
    """
    if kind not in CONTROLLERS:
        raise InvalidValueError(
            f"a controller must be one of {', '.join(CONTROLLERS)}, but got {kind!r}"
        )
    controller: Any = CONTROLLERS[kind]
    made: Controller = controller(**values)
    return made


def restored_memory(controller: Controller, array: NDArray[Any]) -> FloatArray:
    """What a controller remembered, from an array of a checkpoint.

    Raises:
        InvalidValueError: if it cannot be that.
    """
    expected = controller.begin()
    if array.shape != expected.shape or array.dtype != np.float64 or np.isnan(array).any():
        raise InvalidValueError(
            f"a controller {controller.kind} remembers {len(expected)} numbers, none of them NaN, "
            f"but got {array.dtype} of the shape {array.shape}"
        )
    if not (math.isfinite(array[0]) and array[0] > 0):
        raise InvalidValueError(f"λ of a controller must be finite and above 0, but is {array[0]}")
    return array.copy()


def _within(controller: EntropyTarget | GradientBalance, value: float) -> float:
    if math.isnan(value):
        # After a training has diverged.
        return controller.low
    return min(max(value, controller.low), controller.high)


def _check_positive(controller: object, but: tuple[str, ...] = ()) -> None:
    for field in fields(controller):  # type: ignore[arg-type]
        value = getattr(controller, field.name)
        if field.name not in but and not (math.isfinite(value) and value > 0):
            raise InvalidValueError(
                f"`{field.name} > 0` and finite must hold, but got {field.name}={value}"
            )


def _check_between(controller: EntropyTarget | GradientBalance) -> None:
    if not controller.low <= controller.start <= controller.high:
        raise InvalidValueError(
            f"`low <= start <= high` must hold, but got low={controller.low}, "
            f"start={controller.start}, high={controller.high}"
        )
