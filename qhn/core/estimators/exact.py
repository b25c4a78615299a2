"""The exact estimator: the whole distribution in one pass, and the gradient in a reverse pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray, IntArray
from qhn.core.bits import bit_string
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles, restored_angles
from qhn.core.estimators.estimator import Evaluation, Simulator, TopString
from qhn.core.estimators.limits import limits_of
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import Problem
from qhn.core.seeds import Purpose, stream

if TYPE_CHECKING:
    from qhn.core.objectives.objective import Objective

_STATE_KEYS = ("reported_parameters",)


class ExactEstimator:
    """An `Estimator` that computes everything from q_θ, exact up to rounding.

    Args:
        problem: data and loss table.
        ansatz: the circuit. It has as many qubits as the network has bits.
        objective: the objective to minimise, made with the table of the problem.
        simulator: gives q_θ and its gradients for this ansatz.
        seed: the trial's seed, for prior samples and for the samples of reports.
        best_of: k of the metric ``best_of_k``.

    Raises:
        InvalidValueError: if the sizes do not fit, or ``best_of`` is not a whole number from 1 on.
    """

    def __init__(
        self,
        *,
        problem: Problem,
        ansatz: Ansatz,
        objective: Objective,
        simulator: Simulator,
        seed: int,
        best_of: int,
    ) -> None:
        check_count("best_of", best_of)
        self.ansatz = ansatz
        self.limits = limits_of(problem, ansatz)
        self._problem = problem
        self._objective = objective
        self._simulator = simulator
        self._seed = seed
        self._best_of = best_of
        self._evaluator = Evaluator(problem)
        self._evaluated = initial_angles(ansatz, seed)
        self._reported = self._evaluated.copy()
        # A view of the simulator's buffer. It is None when the buffer may hold another
        # distribution.
        self._q: FloatArray | None = None

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """See `Estimator.evaluate`."""
        q = self._simulator.probabilities(parameters)
        count = self._objective.prior_samples
        prior = None if count is None else self._prior(step, count)
        value, observable = self._objective.value_and_observable(q, lambda_, prior)
        gradient = self._simulator.gradient(observable)
        # A copy, since the trainer updates its angles in place, and the next report must remember
        # these ones.
        self._evaluated[...] = parameters
        self._q = q
        return Evaluation(value, gradient, None)

    def _prior(self, step: int, count: int) -> IntArray:
        """The indices of the prior strings of a step, shape ``(count,)``."""
        # Each step has its own stream, so that a resumed trial draws the same strings without
        # drawing those of all earlier steps.
        rng = stream(self._seed, Purpose.PRIOR_SAMPLES, step)
        indices: IntArray = rng.integers(1 << self.ansatz.n_qubits, size=count, dtype=np.int64)
        return indices

    def measure(self, step: int) -> dict[str, float]:
        """See `Estimator.measure`."""
        q = self._q
        if q is None:
            raise InvalidValueError(
                "`evaluate` must be called before `measure`: it sets the angles"
            )
        # This overwrites the buffer of the observable, which is not needed any more: `evaluate` has
        # computed the gradient already.
        terms = self._objective.terms(q)
        rng = stream(self._seed, Purpose.BEST_OF_K, step)
        metrics = {
            "nll": float(terms.nll),
            "kl": float(terms.kl),
            "mmd2": float(terms.mmd2),
            "entropy": float(terms.entropy),
            **self._evaluator.accuracies(q, self._best_of, rng),
        }
        if terms.kale is not None:
            metrics["kale"] = terms.kale
        self._reported[:] = self._evaluated
        return metrics

    def top_strings(self, k: int) -> list[TopString]:
        """See `Estimator.top_strings`."""
        check_count("k", k)
        # q is computed again, which costs one pass. Keeping the q of the last report would cost an
        # array of size 2^N.
        q = self._simulator.probabilities(self._reported)
        self._q = None
        return probable_strings(self._problem, q, k)

    def state(self) -> ArrayState:
        """The angles of the last report, as ``reported_parameters``."""
        return {"reported_parameters": self._reported.copy()}

    def restore(self, state: ArrayState) -> None:
        """See `Estimator.restore`."""
        if set(state) != set(_STATE_KEYS):
            raise InvalidValueError(
                f"the state of exact training must hold {', '.join(_STATE_KEYS)}, "
                f"but got {', '.join(sorted(state)) or 'nothing'}"
            )
        (name,) = _STATE_KEYS
        self._reported = restored_angles(name, state[name], self.ansatz)
        self._q = None


def probable_strings(problem: Problem, q: FloatArray, k: int) -> list[TopString]:
    """The k most probable outcomes of a distribution, shape ``(2^N,)``, the most probable first."""
    k = min(k, len(q))
    # All outcomes that are at least as probable as the k-th one. `partition` alone would choose
    # among equally probable ones by chance; the stable sort below takes the lowest indices.
    # Comparisons with NaN are false, so that there are no candidates if q is NaN.
    least = np.partition(q, len(q) - k)[len(q) - k]
    candidates = np.flatnonzero(q >= least)
    order = candidates[np.argsort(-q[candidates], kind="stable")][:k]
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
