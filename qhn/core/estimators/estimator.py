"""The seam between trainer and device: what a trainer asks, whatever it is trained on.

An estimator knows the problem, the objective and one device. A trainer knows an estimator alone:
whether numbers are exact or come from samples is none of its business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray


@dataclass(slots=True)  # frozen would double what making one costs, at every step
class Evaluation:
    """An objective at one point of training.

    Attributes:
        value: of the objective, per datum, in nats.
        gradient: by the angles, in radians, of their shape.
        standard_errors: ``"objective"`` of the value and ``"gradient_norm"``, the largest of any
            component of the gradient. None where the numbers are exact.
    """

    value: float
    gradient: FloatArray
    standard_errors: Mapping[str, float] | None


class TopString(NamedTuple):
    """One outcome of a trained circuit: a network, how likely it is and how good."""

    bits: str
    probability: float
    nll: float
    train_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Limits:
    """What failure signatures are measured against.

    Attributes:
        gradient: the largest gradient norm that the nll term alone could have at any angles,
            (max nll − min nll) / 2 · √(number of parameters): a derivative is half the difference
            of two expectations (parameter shift).
        prior_entropy: N ln 2, in nats.
        chance: expected train accuracy of the uniform prior.
    """

    gradient: float
    prior_entropy: float
    chance: float


class Estimator(Protocol):
    """Value, gradient and metrics of one trial.

    Random draws depend on the trial's seed, their purpose and the step alone (see
    `qhn.core.seeds`), so that an estimator that is restored gives the same numbers.
    """

    @property
    def ansatz(self) -> Ansatz:
        """The circuit whose angles are trained."""

    @property
    def limits(self) -> Limits:
        """What this trial's failure signatures are measured against."""

    def evaluate(self, parameters: FloatArray, lambda_: float, step: int) -> Evaluation:
        """The objective and its gradient.

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``.
            lambda_: λ at this step.
            step: updates made so far; selects the random draws.
        """

    def measure(self, step: int) -> Mapping[str, float]:
        """Metrics at the angles of the last `evaluate`, by their names in `qhn.core.metrics`.

        They are computed from what the device gave to `evaluate`; the device is not asked again.
        The objective's value, λ and the gradient's norm are not among them: the trainer adds them.

        Raises:
            InvalidValueError: if nothing was evaluated since `top_strings` or `restore`.
        """

    def top_strings(self, k: int) -> list[TopString]:
        """The k likeliest outcomes at the last `measure`, likeliest first.

        Before the first one they are those of the initial angles, if the device can give them at
        no price, else none. Ties go to the lower index. There are none at angles that are not
        finite.

        Raises:
            InvalidValueError: if k is not whole, or below 1.
        """

    def state(self) -> ArrayState:
        """What it remembers, as copies; always under the same names."""

    def restore(self, state: ArrayState) -> None:
        """Go on from what `state` gave.

        Raises:
            InvalidValueError: if it cannot be such a state; then the estimator is as it was.
        """


class Simulator(Protocol):
    """What exact training needs of a device: the whole of q_θ, and gradients."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ, shape ``(2^N,)``, valid until the next call."""

    def gradient(self, observable: FloatArray) -> FloatArray:
        """d/dθ Σ_σ O(σ) q_θ(σ) at the last angles, O held fixed, in the shape of the angles."""
