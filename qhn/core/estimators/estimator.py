"""The protocol between a trainer and a device: what a trainer asks for, on any device.

An estimator knows the problem, the objective and one device. A trainer knows only an estimator. It
does not know whether the numbers are exact or estimated from samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.estimators.sampler import SampleKey
from qhn.core.noise.frames import Frames, Group


@dataclass(slots=True)  # one is made at every step, and frozen ones take twice as long to make
class Evaluation:
    """The value and the gradient of an objective at given angles.

    Attributes:
        value: the value of the objective per datum, in nats.
        gradient: its derivatives by the angles (in radians), shape ``(depth, 2, N)``.
        standard_errors: under ``"objective"`` the standard error of the value, under
            ``"gradient_norm"`` the largest one of any component of the gradient, and under
            ``"gradient"`` the Euclidean norm of those of all components, which is how long the
            gradient would be if it were noise alone. Further metrics of `Estimator.measure` may
            have theirs under their own names. None if the numbers are exact, or if no report was
            asked for.
        gradient_errors: the standard error of each component of the gradient, in its shape; 0 where
            a derivative is known to be 0. None where ``standard_errors`` is.
    """

    value: float
    gradient: FloatArray
    standard_errors: Mapping[str, float] | None
    gradient_errors: FloatArray | None = None


class TopString(NamedTuple):
    """One probable outcome of a trained circuit, which is a network.

    Attributes:
        bits: the outcome as text, qubit 0 first.
        probability: its probability under q_θ.
        nll: mean negative log-likelihood of the network on the training points, in nats.
        train_accuracy: its accuracy on the training points.
        test_accuracy: its accuracy on the test points.
    """

    bits: str
    probability: float
    nll: float
    train_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Limits:
    """The quantities of a problem that failure signatures are compared with.

    Attributes:
        gradient: the largest norm that the gradient of the nll term can have at any angles. By the
            parameter-shift rule, a derivative is half the difference of two expectation values, so
            this is (max nll − min nll) / 2 · √(number of parameters).
        prior_entropy: the entropy of the uniform prior, N ln 2, in nats.
        chance: the expected training accuracy of the uniform prior.
    """

    gradient: float
    prior_entropy: float
    chance: float


class Estimator(Protocol):
    """Gives the value, the gradient and the metrics of one trial.

    Random draws depend only on the trial's seed, their purpose and the step (see `qhn.core.seeds`).
    So a restored estimator gives the same numbers as one that was never interrupted.
    """

    @property
    def ansatz(self) -> Ansatz:
        """The circuit whose angles are trained."""

    @property
    def limits(self) -> Limits:
        """The quantities that this trial's failure signatures are compared with."""

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """The value and the gradient of the objective.

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``.
            lambda_: λ at this step.
            step: the number of updates made so far, which selects the random draws.
            report: whether `measure` will follow. If not, an estimator from samples saves what only
                a report needs, such as standard errors. The gradient is the same in both cases.
        """

    def measure(self, step: int) -> Mapping[str, float]:
        """The metrics at the angles of the last call of `evaluate`, named as in `qhn.core.metrics`.

        They are computed from what the device gave to `evaluate`; the device is not asked again.
        The value of the objective, λ and the norm of the gradient are not among them, because the
        trainer adds them.

        Raises:
            InvalidValueError: if `evaluate` was not called since the last `top_strings` or
                `restore`, or not with ``report``.
        """

    def top_strings(self, k: int) -> list[TopString]:
        """The k most probable outcomes at the last call of `measure`, the most probable first.

        Before the first call of `measure` they are the outcomes at the initial angles if the device
        can give them free of charge, and else none. On a tie the lower index comes first. At angles
        that are not finite there are none.

        Raises:
            InvalidValueError: if k is not a whole number from 1 on.
        """

    def state(self) -> ArrayState:
        """Copies of all that the estimator remembers, always under the same names."""

    def restore(self, state: ArrayState) -> None:
        """Continue from what `state` gave.

        Raises:
            InvalidValueError: if it cannot be such a state. The estimator is unchanged then.
        """


class Simulator(Protocol):
    """What exact training needs from a device: the whole distribution q_θ, and gradients."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """The distribution q_θ, shape ``(2^N,)``, valid until the next call."""

    def gradient(self, observable: FloatArray) -> FloatArray:
        """d/dθ Σ_σ O(σ) q_θ(σ) with O held fixed, at the angles of the last `probabilities`.

        Its shape is that of the angles, ``(depth, 2, N)``.
        """


class TrajectorySimulator(Protocol):
    """What training with exact trajectories of a noisy circuit needs from a device.

    `qhn.devices.TrajectoryHandle` states the rules.
    """

    def trajectories(self, key: SampleKey) -> Frames:
        """The trajectories of one step."""

    def run(self, parameters: FloatArray, group: Group) -> FloatArray:
        """The distribution of a group before masks are applied, shape ``(2^N,)``."""

    def slope(self, observable: FloatArray, group: Group) -> FloatArray:
        """d/dθ Σ_σ O(σ) q(σ) of the group that was run last, in the shape of the angles."""
