"""Training one distribution over binary networks, in steps that can be put away and resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.bits import bit_string
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import Problem
from qhn.core.objectives.schedules import Schedule
from qhn.core.seeds import Purpose, stream
from qhn.core.training.diagnostics import Flag, Limits, diagnose
from qhn.core.training.history import History
from qhn.core.training.optimisers import Optimiser

if TYPE_CHECKING:
    from qhn.core.objectives.objective import Objective


_OPTIMISER_PREFIX = "optimiser."
_STATE_KEYS = ("step", "parameters", "reported_parameters", "history")


class Distribution(Protocol):
    """Where q_θ and gradients come from: the exact engine, or a device that stands for it."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ, shape ``(2^N,)``, valid until the next call."""

    def gradient(self, observable: FloatArray) -> FloatArray:
        """d/dθ Σ_σ O(σ) q_θ(σ) at the last angles, O held fixed, in the shape of the angles."""


@dataclass(frozen=True)
class Report:
    """One row of the history, as it is made."""

    step: int
    timestamp_ms: int
    metrics: dict[str, float]


class TopString(NamedTuple):
    """One outcome of a trained circuit: a network, how likely it is and how good."""

    bits: str
    probability: float
    nll: float
    train_accuracy: float
    test_accuracy: float


class Trainer:
    """Gradient descent on an objective of q_θ.

    Step t of T is the state after t parameter updates. Initial angles are uniform in [0, 2π). At
    steps 0, r, 2r, … and T the trainer reports. Random draws depend on seed, purpose and step
    alone, so a trainer that is restored goes on bit for bit.

    Args:
        problem: data and tables.
        ansatz: the circuit; its number of qubits is the network's number of bits.
        objective: what is minimised.
        schedule: λ by step; None stands for 0 (MLE has no regulariser).
        optimiser: a fresh one, owned by this trainer from now on.
        seed: of initial angles, prior samples and reported samples.
        steps: T, number of updates.
        report_every: r.
        best_of: k of the metric ``best_of_k``.
        distribution: q_θ and its gradients for this ansatz.

    Raises:
        InvalidValueError: if sizes do not fit, or counts are not whole or below 1.
    """

    def __init__(
        self,
        *,
        problem: Problem,
        ansatz: Ansatz,
        objective: Objective,
        schedule: Schedule | None,
        optimiser: Optimiser,
        seed: int,
        steps: int,
        report_every: int,
        best_of: int,
        distribution: Distribution,
    ) -> None:
        for name, value in (("steps", steps), ("report_every", report_every), ("best_of", best_of)):
            check_count(name, value)
        if ansatz.n_qubits != problem.n_qubits:
            raise InvalidValueError(
                f"the circuit must have one qubit per network bit, but got {ansatz.n_qubits} "
                f"qubits for {problem.n_qubits} bits"
            )
        self.problem = problem
        self.ansatz = ansatz
        self.seed = seed
        self.steps = steps
        self.report_every = report_every
        self.step = 0
        self.finished = False
        self.history = History()
        angles = stream(seed, Purpose.INITIAL_ANGLES)
        self.parameters: FloatArray = angles.uniform(0.0, 2.0 * np.pi, ansatz.parameter_shape)
        self._reported = self.parameters.copy()
        self._objective = objective
        self._schedule = schedule
        self._optimiser = optimiser
        self._best_of = best_of
        self._distribution = distribution
        self._evaluator = Evaluator(problem)
        self._limits = Limits.of(problem, ansatz)

    def advance(self) -> Report | None:
        """Evaluate at the current step, report if a report is due, then update the angles.

        At step T there is a report and no update, and the trainer is finished; further calls do
        nothing.
        """
        if self.finished:
            return None
        q = self._distribution.probabilities(self.parameters)
        lambda_ = 0.0 if self._schedule is None else self._schedule.at(self.step, self.steps)
        value, observable = self._objective.value_and_observable(q, lambda_, self._prior())
        gradient = self._distribution.gradient(observable)
        report = self._report(q, value, lambda_, gradient) if self._due(self.step) else None
        if self.step == self.steps:
            self.finished = True
        else:
            self._optimiser.update(self.parameters, gradient)
            self.step += 1
        return report

    def _due(self, step: int) -> bool:
        return step % self.report_every == 0 or step == self.steps

    def _prior(self) -> NDArray[np.int64] | None:
        """Indices of this step's prior strings, if the objective samples them."""
        count = self._objective.prior_samples
        if count is None:
            return None
        rng = stream(self.seed, Purpose.PRIOR_SAMPLES, self.step)
        size = 1 << self.ansatz.n_qubits
        indices: NDArray[np.int64] = rng.integers(size, size=count, dtype=np.int64)
        return indices

    def _report(self, q: FloatArray, value: float, lambda_: float, gradient: FloatArray) -> Report:
        terms = self._objective.terms(q)
        rng = stream(self.seed, Purpose.BEST_OF_K, self.step)
        metrics = {
            "objective": float(value),
            "lambda": float(lambda_),
            "nll": float(terms.nll),
            "kl": float(terms.kl),
            "mmd2": float(terms.mmd2),
            "entropy": float(terms.entropy),
            "gradient_norm": float(np.sqrt(np.square(gradient).sum())),
            **self._evaluator.accuracies(q, self._best_of, rng),
        }
        report = Report(self.step, int(time.time() * 1000), metrics)
        self.history.append(report.step, report.timestamp_ms, metrics)
        self._reported[:] = self.parameters
        return report

    def flags(self) -> list[Flag]:
        """Failure signatures of the history so far."""
        return diagnose(self.history, self._limits)

    def top_strings(self, k: int) -> list[TopString]:
        """The k most probable outcomes at the latest report, most probable first.

        Before the first report they are those of the initial angles. Ties go to the lower index.
        There are none if training has diverged to angles that are not numbers.
        """
        check_count("k", k)
        q = self._distribution.probabilities(self._reported)
        k = min(k, len(q))
        # Everything as probable as the k-th, so that a tie is cut by index and not by chance.
        least = np.partition(q, len(q) - k)[len(q) - k]
        candidates = np.flatnonzero(q >= least)
        order = candidates[np.argsort(-q[candidates], kind="stable")][:k]
        problem = self.problem
        return [
            TopString(
                bit_string(int(index), problem.n_qubits),
                float(q[index]),
                float(problem.nll[index]),
                float(problem.train_accuracy[index]),
                float(problem.test_accuracy[index]),
            )
            for index in order
        ]

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on, as copies: arrays for `numpy.savez`, without pickle."""
        return {
            "step": np.array(self.step, dtype=np.int64),
            "parameters": self.parameters.copy(),
            "reported_parameters": self._reported.copy(),
            "history": self.history.to_array(),
            **{_OPTIMISER_PREFIX + k: v for k, v in self._optimiser.state().items()},
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave, of a trainer with the same arguments.

        Raises:
            InvalidValueError: if arrays are missing or unknown, or do not fit this trainer; then
                the trainer is as it was.
        """
        rest = {k: v for k, v in state.items() if not k.startswith(_OPTIMISER_PREFIX)}
        if set(rest) != set(_STATE_KEYS):
            raise InvalidValueError(
                f"a trainer's state must hold {', '.join(_STATE_KEYS)}, "
                f"but got {', '.join(sorted(rest)) or 'nothing'}"
            )
        step = self._restored_step(rest["step"])
        history = History.from_array(rest["history"])
        finished = step == self.steps and bool(len(history)) and history.steps[-1] == step
        expected = [s for s in range(step + finished) if self._due(s)]
        if history.steps != expected:
            raise InvalidValueError(
                f"the history of a trainer at step {step} that reports every {self.report_every} "
                f"of {self.steps} steps must have the steps {_short(expected)}, "
                f"but got {_short(history.steps)}"
            )
        parameters = self._restored_angles("parameters", rest["parameters"])
        reported = self._restored_angles("reported_parameters", rest["reported_parameters"])
        memory = {k.removeprefix(_OPTIMISER_PREFIX): v for k, v in state.items() if k not in rest}
        self._optimiser.restore(memory, parameters.shape, step)
        self.step, self.finished, self.history = step, finished, history
        self.parameters, self._reported = parameters, reported

    def _restored_step(self, array: NDArray[Any]) -> int:
        if array.shape != () or not np.issubdtype(array.dtype, np.integer):
            raise InvalidValueError(
                f"step must be one integer, but got shape {array.shape} of {array.dtype}"
            )
        if not 0 <= array <= self.steps:
            raise InvalidValueError(f"`0 <= step <= {self.steps}` must hold, but got step={array}")
        return int(array)

    def _restored_angles(self, name: str, array: NDArray[Any]) -> FloatArray:
        shape = self.ansatz.parameter_shape
        if array.shape != shape or array.dtype != np.float64:
            raise InvalidValueError(
                f"{name} must have the shape {shape} of float64, "
                f"but got {array.shape} of {array.dtype}; the state is of another circuit"
            )
        return array.copy()


def _short(steps: list[int]) -> str:
    return (
        str(steps) if len(steps) <= 6 else f"{steps[:3]} … {steps[-2:]}".replace("] … [", ", …, ")
    )
