"""The training of one distribution over binary networks, which can be stored and resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, overload

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
from qhn.core.objectives.controllers import CONTROLLERS, Controller, Seen, restored_memory
from qhn.core.objectives.schedules import Schedule
from qhn.core.training.diagnostics import Flag, diagnose
from qhn.core.training.history import History
from qhn.core.training.optimisers import Optimiser

if TYPE_CHECKING:
    from qhn.core.objectives.objective import Objective


# An optimiser chooses the names of its arrays. The prefix separates them from those of the trainer
# and the estimator, which are stored in the same file.
_OPTIMISER_PREFIX = "optimiser."
# What the controller of λ remembers. A trainer with a schedule has no such array.
_CONTROLLER = "controller"


def wall_clock_ms() -> int:
    """Milliseconds since 1970, the default clock of a trainer."""
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Report:
    """One row of the history: the step, the time (milliseconds since 1970) and the metrics."""

    step: int
    timestamp_ms: int
    metrics: dict[str, float]


class Trainer:
    """Gradient descent on an objective of q_θ.

    Step t of T is the state after t parameter updates. The initial angles are uniform in [0, 2π).
    The trainer reports at the steps 0, r, 2r, … and T. Random draws depend only on the seed, their
    purpose and the step, so a restored trainer continues bit for bit.

    An estimator gives the value, the gradient and the metrics. There are two forms: pass an
    ``estimator``; or, for exact training, pass ``problem``, ``ansatz``, ``objective``, ``best_of``
    and ``distribution``, from which the trainer makes an `ExactEstimator`.

    Args:
        schedule: λ at each step, or a controller that sets it after each report; None means 0
            (MLE has no regulariser).
        optimiser: a new optimiser, which only this trainer may use from now on.
        seed: the trial's seed, for the initial angles. The estimator must have the same one.
        steps: T, the number of updates.
        report_every: r, the number of updates between two reports.
        estimator: the estimator of this trial.
        problem: data and loss table.
        ansatz: the circuit. It has as many qubits as the network has bits.
        objective: the objective to minimise.
        best_of: k of the metric ``best_of_k``.
        distribution: gives q_θ and its gradients for this ansatz, for example an `Engine`.
        clock: gives the time of a report, in milliseconds since 1970.

    Raises:
        InvalidValueError: if the sizes do not fit, if a count is not a whole number from 1 on, or
            if the arguments are neither those of the first form nor those of the second.
    """

    @overload
    def __init__(
        self,
        *,
        schedule: Schedule | Controller | None,
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
        schedule: Schedule | Controller | None,
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
        schedule: Schedule | Controller | None,
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
        self._schedule: Schedule | None = None
        self._controller: Controller | None = None
        if schedule is not None and schedule.kind in CONTROLLERS:
            self._controller = cast(Controller, schedule)
            self._memory = self._controller.begin()
        else:
            self._schedule = cast("Schedule | None", schedule)
        self._optimiser = optimiser
        self._clock = clock

    def start_at(self, angles: NDArray[Any]) -> None:
        """Start from these angles in place of random ones.

        Args:
            angles: in radians, shape ``(depth, 2, N)``, float64. They are copied.

        Raises:
            InvalidValueError: if the training has made a step, or if the angles are of another
                circuit.
        """
        if self.step:
            raise InvalidValueError(
                "a training must get its first angles before its first step, but it is at step "
                f"{self.step}"
            )
        self.parameters = restored_angles("angles", angles, self.ansatz)

    def advance(self) -> Report | None:
        """Evaluate the objective, report if a report is due at this step, then update the angles.

        At step T there is a report but no update, and the trainer is finished. Further calls do
        nothing.

        Returns:
            The report; None if none is due at this step.
        """
        if self.finished:
            return None
        lambda_ = self._lambda()
        due = self._due(self.step)
        norms = self._norms() if due else None
        found = self._estimator.evaluate(self.parameters, lambda_, self.step, report=due)
        # The report comes before the update, because its numbers belong to the angles before it.
        report = self._report(found, lambda_) if due else None
        if report is not None and self._controller is not None:
            prior_entropy = self._estimator.limits.prior_entropy
            seen = Seen(report.metrics, prior_entropy, *(norms or ()))
            self._memory = self._controller.after(self._memory, seen)
        if self.step == self.steps:
            self.finished = True
        else:
            self._optimiser.update(self.parameters, found.gradient)
            self.step += 1
        return report

    def _lambda(self) -> float:
        if self._controller is not None:
            return float(self._memory[0])
        return 0.0 if self._schedule is None else self._schedule.at(self.step, self.steps)

    def _norms(self) -> tuple[float, float] | None:
        """The norms of the gradients of both terms, if the controller of λ needs them.

        The objective is linear in λ, so its gradients at two values of λ give both.
        """
        if self._controller is None or not self._controller.needs_gradients:
            return None
        gradients = [
            self._estimator.evaluate(self.parameters, at, self.step, report=False).gradient.copy()
            for at in (0.0, 1.0)
        ]
        return _norm(gradients[0]), _norm(gradients[1] - gradients[0])

    def _due(self, step: int) -> bool:
        return step % self.report_every == 0 or step == self.steps

    def _report(self, found: Evaluation, lambda_: float) -> Report:
        metrics: dict[str, float] = {
            "objective": float(found.value),
            "lambda": float(lambda_),
            "gradient_norm": _norm(found.gradient),
            **self._estimator.measure(self.step),
        }
        for name, error in (found.standard_errors or {}).items():
            metrics[standard_error(name)] = float(error)
        # In the order of `METRICS`. Metrics that are not listed there, such as standard errors,
        # come last.
        ordered = {name: metrics.pop(name) for name in BY_NAME if name in metrics} | metrics
        report = Report(self.step, self._clock(), ordered)
        self.history.append(report.step, report.timestamp_ms, ordered)
        return report

    @property
    def diverged(self) -> bool:
        """Whether an angle is not finite. From then on every number is NaN."""
        # One angle decides, not all of them: the R_Z angles of the last layer have no gradient, and
        # always stay finite.
        return not np.isfinite(self.parameters).all()

    def flags(self) -> list[Flag]:
        """The failure signatures of the history so far; see `diagnose`."""
        return diagnose(self.history, self._estimator.limits)

    def top_strings(self, k: int) -> list[TopString]:
        """The k most probable outcomes at the latest report; see `Estimator.top_strings`.

        Raises:
            InvalidValueError: if k is not a whole number from 1 on.
        """
        return self._estimator.top_strings(k)

    def state(self) -> ArrayState:
        """Copies of all that is needed to continue: arrays for `numpy.savez`, without pickle."""
        return {
            "step": np.array(self.step, dtype=np.int64),
            "parameters": self.parameters.copy(),
            **self._estimator.state(),
            **self.history.state(),
            **({} if self._controller is None else {_CONTROLLER: self._memory.copy()}),
            **{_OPTIMISER_PREFIX + k: v for k, v in self._optimiser.state().items()},
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from what `state` of a trainer with the same arguments gave.

        Raises:
            InvalidValueError: if arrays are missing or unknown, or if they do not fit this trainer.
                The trainer is unchanged then.
        """
        rest = {k: v for k, v in state.items() if not k.startswith(_OPTIMISER_PREFIX)}
        before = self._estimator.state()
        controlled = [] if self._controller is None else [_CONTROLLER]
        needed = ("step", "parameters", *before, "history", *controlled)
        # Version f0fdd86 stored histories without the names of columns.
        if set(rest) - {"history_columns"} != set(needed):
            raise InvalidValueError(
                f"a trainer's state must hold {', '.join(needed)}, "
                f"but got {', '.join(sorted(rest)) or 'nothing'}"
            )
        step = self._restored_step(rest["step"])
        history = History.from_state(rest)
        # At step T the angles are final, but the report on them may still be missing.
        finished = step == self.steps and bool(len(history)) and history.steps[-1] == step
        # The arguments decide at which steps there are reports. A history with other steps belongs
        # to another trial.
        expected = [s for s in range(step + finished) if self._due(s)]
        if history.steps != expected:
            raise InvalidValueError(
                f"the history of a trainer at step {step} that reports every {self.report_every} "
                f"of {self.steps} steps must have the steps {_short(expected)}, "
                f"but got {_short(history.steps)}"
            )
        parameters = restored_angles("parameters", rest["parameters"], self.ansatz)
        if self._controller is not None:
            remembered = restored_memory(self._controller, rest[_CONTROLLER])
        # Everything that can be refused is checked before anything of this trainer is changed, so
        # that a refused state changes nothing.
        memory = {k.removeprefix(_OPTIMISER_PREFIX): v for k, v in state.items() if k not in rest}
        self._estimator.restore({name: rest[name] for name in before})
        try:
            self._optimiser.restore(memory, parameters.shape, step)
        except InvalidValueError:
            # The estimator has the new state already. It gets its old one back.
            self._estimator.restore(before)
            raise
        self.step, self.finished, self.history = step, finished, history
        self.parameters = parameters
        if self._controller is not None:
            self._memory = remembered

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
    """The estimator for the second form of a trainer's arguments."""
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


def _norm(gradient: FloatArray) -> float:
    # Not `np.linalg.norm`, which uses BLAS: its sums depend on the number of threads.
    return float(np.sqrt(np.square(gradient).sum()))


def _short(steps: list[int]) -> str:
    """A list of steps for a message, with the middle of a long list left out."""
    return (
        str(steps) if len(steps) <= 6 else f"{steps[:3]} … {steps[-2:]}".replace("] … [", ", …, ")
    )
