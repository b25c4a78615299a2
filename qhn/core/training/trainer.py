"""Training one distribution over binary networks, in steps that can be put away and resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles, restored_angles
from qhn.core.estimators.estimator import Estimator, Evaluation, Simulator, TopString
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.evaluation.problem import Problem
from qhn.core.metrics import BY_NAME, standard_error
from qhn.core.objectives.schedules import Schedule
from qhn.core.training.diagnostics import Flag, diagnose
from qhn.core.training.history import History
from qhn.core.training.optimisers import Optimiser

if TYPE_CHECKING:
    from qhn.core.objectives.objective import Objective


# An optimiser names its arrays as it likes; they lie beside those of trainer and estimator.
_OPTIMISER_PREFIX = "optimiser."


def wall_clock_ms() -> int:
    """Milliseconds since 1970: the clock of trainings to which none is given."""
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Report:
    """One row of the history, as it is made."""

    step: int
    timestamp_ms: int
    metrics: dict[str, float]


class Trainer:
    """Gradient descent on an objective of q_θ.

    Step t of T is the state after t parameter updates. Initial angles are uniform in [0, 2π). At
    steps 0, r, 2r, … and T the trainer reports. Random draws depend on seed, purpose and step
    alone, so a trainer that is restored goes on bit for bit.

    The estimator says how value, gradient and metrics are had. For exact training, the short form
    takes what an `ExactEstimator` is made of in its place.

    Args:
        schedule: λ by step; None stands for 0 (MLE has no regulariser).
        optimiser: a fresh one, owned by this trainer from now on.
        seed: the trial's, of the initial angles; an estimator is given the same.
        steps: T, number of updates.
        report_every: r.
        estimator: of this trial; instead of all that follow.
        problem: data and tables.
        ansatz: the circuit; its number of qubits is the network's number of bits.
        objective: what is minimised.
        best_of: k of the metric ``best_of_k``.
        distribution: q_θ and its gradients for this ansatz.
        clock: the time of a report, in milliseconds since 1970.

    Raises:
        InvalidValueError: if sizes do not fit, counts are not whole or below 1, or the arguments
            are neither those of one form nor those of the other.
    """

    @overload
    def __init__(
        self,
        *,
        schedule: Schedule | None,
        optimiser: Optimiser,
        seed: int,
        steps: int,
        report_every: int,
        estimator: Estimator,
        clock: Callable[[], int] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self,
        *,
        schedule: Schedule | None,
        optimiser: Optimiser,
        seed: int,
        steps: int,
        report_every: int,
        problem: Problem,
        ansatz: Ansatz,
        objective: Objective,
        best_of: int,
        distribution: Simulator,
        clock: Callable[[], int] = ...,
    ) -> None: ...

    def __init__(
        self,
        *,
        schedule: Schedule | None,
        optimiser: Optimiser,
        seed: int,
        steps: int,
        report_every: int,
        estimator: Estimator | None = None,
        problem: Problem | None = None,
        ansatz: Ansatz | None = None,
        objective: Objective | None = None,
        best_of: int | None = None,
        distribution: Simulator | None = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        for name, value in (("steps", steps), ("report_every", report_every)):
            check_count(name, value)
        if estimator is None:
            estimator = _exact(problem, ansatz, objective, distribution, seed, best_of)
        elif any(part is not None for part in (problem, ansatz, objective, best_of, distribution)):
            raise InvalidValueError(
                "a trainer takes an estimator or what exact training is made of (problem, ansatz, "
                "objective, best_of, distribution), but got both"
            )
        self.ansatz = estimator.ansatz
        self.seed = seed
        self.steps = steps
        self.report_every = report_every
        self.step = 0
        self.finished = False
        self.history = History()
        self.parameters: FloatArray = initial_angles(self.ansatz, seed)
        self._estimator = estimator
        self._schedule = schedule
        self._optimiser = optimiser
        self._clock = clock

    def advance(self) -> Report | None:
        """Evaluate at the current step, report if a report is due, then update the angles.

        At step T there is a report and no update, and the trainer is finished; further calls do
        nothing.
        """
        if self.finished:
            return None
        lambda_ = 0.0 if self._schedule is None else self._schedule.at(self.step, self.steps)
        found = self._estimator.evaluate(self.parameters, lambda_, self.step)
        # Before the update: a report is of the angles that its numbers were found at.
        report = self._report(found, lambda_) if self._due(self.step) else None
        if self.step == self.steps:
            self.finished = True
        else:
            self._optimiser.update(self.parameters, found.gradient)
            self.step += 1
        return report

    def _due(self, step: int) -> bool:
        return step % self.report_every == 0 or step == self.steps

    def _report(self, found: Evaluation, lambda_: float) -> Report:
        metrics: dict[str, float] = {
            "objective": float(found.value),
            "lambda": float(lambda_),
            "gradient_norm": float(np.sqrt(np.square(found.gradient).sum())),
            **self._estimator.measure(self.step),
        }
        for name, error in (found.standard_errors or {}).items():
            metrics[standard_error(name)] = float(error)
        # In the order of the table; what the table does not know comes last.
        ordered = {name: metrics.pop(name) for name in BY_NAME if name in metrics} | metrics
        report = Report(self.step, self._clock(), ordered)
        self.history.append(report.step, report.timestamp_ms, ordered)
        return report

    @property
    def diverged(self) -> bool:
        """True once an angle is not finite: from then on every number is NaN."""
        # All of them: the last layer's R_Z angles have no gradient, and stay finite for ever.
        return not np.isfinite(self.parameters).all()

    def flags(self) -> list[Flag]:
        """Failure signatures of the history so far."""
        return diagnose(self.history, self._estimator.limits)

    def top_strings(self, k: int) -> list[TopString]:
        """The k likeliest outcomes at the latest report; see `Estimator.top_strings`."""
        return self._estimator.top_strings(k)

    def state(self) -> ArrayState:
        """All that is needed to go on, as copies: arrays for `numpy.savez`, without pickle."""
        return {
            "step": np.array(self.step, dtype=np.int64),
            "parameters": self.parameters.copy(),
            **self._estimator.state(),
            **self.history.state(),
            **{_OPTIMISER_PREFIX + k: v for k, v in self._optimiser.state().items()},
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave, of a trainer with the same arguments.

        Raises:
            InvalidValueError: if arrays are missing or unknown, or do not fit this trainer; then
                the trainer is as it was.
        """
        rest = {k: v for k, v in state.items() if not k.startswith(_OPTIMISER_PREFIX)}
        before = self._estimator.state()
        needed = ("step", "parameters", *before, "history")
        # Version f0fdd86 did not name its columns.
        if set(rest) - {"history_columns"} != set(needed):
            raise InvalidValueError(
                f"a trainer's state must hold {', '.join(needed)}, "
                f"but got {', '.join(sorted(rest)) or 'nothing'}"
            )
        step = self._restored_step(rest["step"])
        history = History.from_state(rest)
        # At step T the angles are final, but the report on them may still be due.
        finished = step == self.steps and bool(len(history)) and history.steps[-1] == step
        # Steps of reports follow from the arguments: a history with others is of another trial.
        expected = [s for s in range(step + finished) if self._due(s)]
        if history.steps != expected:
            raise InvalidValueError(
                f"the history of a trainer at step {step} that reports every {self.report_every} "
                f"of {self.steps} steps must have the steps {_short(expected)}, "
                f"but got {_short(history.steps)}"
            )
        parameters = restored_angles("parameters", rest["parameters"], self.ansatz)
        # What can refuse comes first, so that a refused state leaves everything as it was.
        memory = {k.removeprefix(_OPTIMISER_PREFIX): v for k, v in state.items() if k not in rest}
        self._estimator.restore({name: rest[name] for name in before})
        try:
            self._optimiser.restore(memory, parameters.shape, step)
        except InvalidValueError:
            # The estimator has moved already, and a refused state must change nothing.
            self._estimator.restore(before)
            raise
        self.step, self.finished, self.history = step, finished, history
        self.parameters = parameters

    def _restored_step(self, array: NDArray[Any]) -> int:
        if array.shape != () or not np.issubdtype(array.dtype, np.integer):
            raise InvalidValueError(
                f"step must be one integer, but got shape {array.shape} of {array.dtype}"
            )
        if not 0 <= array <= self.steps:
            raise InvalidValueError(f"`0 <= step <= {self.steps}` must hold, but got step={array}")
        return int(array)


def _exact(
    problem: Problem | None,
    ansatz: Ansatz | None,
    objective: Objective | None,
    distribution: Simulator | None,
    seed: int,
    best_of: int | None,
) -> Estimator:
    """What the short form of a trainer stands for."""
    if (
        problem is None
        or ansatz is None
        or objective is None
        or distribution is None
        or best_of is None
    ):
        raise InvalidValueError(
            "a trainer needs an estimator, or for exact training problem, ansatz, objective, "
            "best_of and distribution, but some of these are missing"
        )
    return ExactEstimator(
        problem=problem,
        ansatz=ansatz,
        objective=objective,
        simulator=distribution,
        seed=seed,
        best_of=best_of,
    )


def _short(steps: list[int]) -> str:
    return (
        str(steps) if len(steps) <= 6 else f"{steps[:3]} … {steps[-2:]}".replace("] … [", ", …, ")
    )
