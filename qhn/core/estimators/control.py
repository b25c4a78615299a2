"""Controls: searches over networks without a circuit, as estimators of the trainer.

A control answers whether a search that knows nothing of circuits does as well. Each looks at the
same number of networks in each step, and keeps the best one by training loss. Its distribution is
that one network. It has no gradient, so that the trainer's angles stay what they are.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.estimator import Evaluation, Limits, TopString
from qhn.core.estimators.exact import probable_strings
from qhn.core.estimators.limits import limits_of
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import Problem
from qhn.core.objectives.objective import Objective
from qhn.core.seeds import Purpose, stream

ControlName = Literal["random_search", "annealing", "straight_through"]
# The temperature of annealing falls geometrically between these, in nats of the training loss of
# one point: from accepting nearly every flip to accepting nearly none that is worse.
_HOT, _COLD = 1.0, 1e-3
_STATE_KEYS = ("control_best", "control_present", "control_reported")


class ControlEstimator:
    """An `Estimator` that searches networks directly.

    * ``random_search`` looks at networks that are drawn uniformly, in each step at new ones.
    * ``straight_through`` is in `qhn.core.estimators.straight_through`.
    * ``annealing`` is simulated annealing (Kirkpatrick, Gelatt, Vecchi 1983): it flips one weight
      at a time, drawn uniformly, and accepts a network that is worse by Δ nats with the probability
      exp(−Δ / T), where T falls geometrically from 1 to 0.001 over the training.

    Step 0 has the first networks, so that a training of T steps looks at (T + 1) · ``evaluations``.
    All draws depend on the seed and the step alone.

    Args:
        kind: the search.
        problem: data and loss table.
        ansatz: any circuit for the problem; its angles are not used.
        seed: the trial's seed.
        steps: the steps of the training, over which annealing cools down.
        evaluations: the number of networks that each step looks at.

    Raises:
        InvalidValueError: if the sizes do not fit, or a count is not a whole number from 1 on.
    """

    def __init__(
        self,
        *,
        kind: ControlName,
        problem: Problem,
        ansatz: Ansatz,
        seed: int,
        steps: int,
        evaluations: int,
    ) -> None:
        self.ansatz = ansatz
        self.limits: Limits = limits_of(problem, ansatz)
        self._kind = kind
        self._problem = problem
        self._seed = seed
        self._steps = check_count("steps", steps)
        self._evaluations = check_count("evaluations", evaluations)
        self._evaluator = Evaluator(problem)
        # Only its terms are asked for.
        self._objective = Objective.of("mle", problem)
        # The best network so far, the one from which annealing goes on, and the one of the report.
        self._best = self._present = self._reported = -1

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """See `Estimator.evaluate`. The value is the training loss of the best network so far."""
        self._look(step)
        value = float(self._problem.nll[self._best])
        return Evaluation(value, np.zeros_like(parameters), None)

    def _look(self, step: int) -> None:
        """Look at the networks of one step."""
        rng = stream(self._seed, Purpose.CONTROL, step)
        if self._kind == "random_search":
            self._take(rng.integers(len(self._problem.nll), size=self._evaluations))
        else:
            self._anneal(rng, step)

    def _take(self, drawn: NDArray[np.int64]) -> None:
        # On a tie the first one stays.
        found = int(drawn[np.argmin(self._problem.nll[drawn])])
        if self._best < 0 or self._problem.nll[found] < self._problem.nll[self._best]:
            self._best = found

    def _anneal(self, rng: np.random.Generator, step: int) -> None:
        nll, n_qubits = self._problem.nll, self._problem.n_qubits
        if self._present < 0:
            self._present = self._best = int(rng.integers(len(nll)))
        flips = rng.integers(n_qubits, size=self._evaluations)
        chances = rng.random(self._evaluations)
        temperature = _HOT * (_COLD / _HOT) ** (step / self._steps)
        for flip, chance in zip(flips.tolist(), chances.tolist(), strict=True):
            other = self._present ^ (1 << flip)
            worse = float(nll[other] - nll[self._present])
            if worse <= 0 or chance < math.exp(-worse / temperature):
                self._present = other
                if nll[other] < nll[self._best]:
                    self._best = other

    def measure(self, step: int) -> dict[str, float]:
        """See `Estimator.measure`. The metrics are those of the point mass at the best network."""
        if self._best < 0:
            raise InvalidValueError("`evaluate` must be called before `measure`")
        q = self._point(self._best)
        terms = self._objective.terms(q)
        self._reported = self._best
        # All samples are the same network, so that nothing is drawn.
        rng = stream(self._seed, Purpose.BEST_OF_K, step)
        return {
            "nll": float(terms.nll),
            "kl": float(terms.kl),
            "mmd2": float(terms.mmd2),
            "entropy": float(terms.entropy),
            **self._evaluator.accuracies(q, 1, rng),
        }

    def _point(self, index: int) -> FloatArray:
        q = np.zeros(len(self._problem.nll))
        q[index] = 1.0
        return q

    def top_strings(self, k: int) -> list[TopString]:
        """See `Estimator.top_strings`: the one network that was reported last."""
        check_count("k", k)
        if self._reported < 0:
            return []
        return probable_strings(self._problem, self._point(self._reported), 1)

    def state(self) -> ArrayState:
        """The best network, the present one and the reported one, as ``control_…``."""
        values = (self._best, self._present, self._reported)
        return {
            name: np.array(value, dtype=np.int64)
            for name, value in zip(_STATE_KEYS, values, strict=True)
        }

    def restore(self, state: ArrayState) -> None:
        """See `Estimator.restore`."""
        if set(state) != set(_STATE_KEYS):
            raise InvalidValueError(
                f"the state of a control must hold {', '.join(_STATE_KEYS)}, "
                f"but got {', '.join(sorted(state)) or 'nothing'}"
            )
        for name, array in state.items():
            if array.shape != () or not -1 <= int(array) < len(self._problem.nll):
                raise InvalidValueError(f"{name} must be the index of a network, but got {array}")
        self._best, self._present, self._reported = (int(state[name]) for name in _STATE_KEYS)
