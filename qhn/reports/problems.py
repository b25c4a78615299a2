"""The loss tables of a report's tasks, made once each, and what follows from them exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.evaluation.accuracy import Evaluator, predicted_right
from qhn.core.evaluation.problem import Problem
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

#: Larger tables take seconds each. Then what is enumerated is left out of the report.
MOST_QUBITS = 14
MOST_PROBLEMS = 400


@dataclass(frozen=True)
class Enumerated:
    """What is known of a task because all 2^N networks can be looked at.

    Attributes:
        nll: the lowest mean nll of any network, in nats.
        optima: how many networks have it, up to rounding (10^-12).
        test_accuracy: the mean test accuracy of these networks.
        posterior_expected: Σ p(σ) accuracy(σ) on test data, with the exact posterior p.
        posterior_average: the test accuracy of the prediction that is averaged over p.
    """

    nll: float
    optima: int
    test_accuracy: float
    posterior_expected: float
    posterior_average: float


def log_posterior(nll: FloatArray, n_points: int) -> FloatArray:
    """ln p(σ) of the exact posterior p(σ) ∝ exp(−n · nll(σ)) with a uniform prior.

    Args:
        nll: the mean negative log-likelihood of each network, shape ``(2^N,)``.
        n_points: n, the number of training points.

    Returns:
        Natural logarithms of probabilities that add up to 1, shape ``(2^N,)``.
    """
    scores = -n_points * (nll - nll.min())
    return np.asarray(scores - math.log(np.exp(scores).sum()))


class Problems:
    """Makes the problem of each task when it is needed, and keeps what was computed from it."""

    def __init__(self) -> None:
        self._logs: dict[str, FloatArray | None] = {}
        self._enumerated: dict[str, Enumerated] = {}
        self._last: tuple[str, Problem] | None = None

    def problem(self, config: TrialConfig) -> Problem | None:
        """The problem of a trial; None if its tables would be too large."""
        if config.n_qubits > MOST_QUBITS:
            return None
        key = config.problem_key
        if self._last is None or self._last[0] != key:
            made = factory.problem(config)
            if not isinstance(made, Problem):
                return None
            self._last = key, made
        return self._last[1]

    def log_posterior(self, config: TrialConfig) -> FloatArray | None:
        """ln p of the exact posterior of a trial's task; None if it is not enumerated."""
        key = config.problem_key
        if key not in self._logs:
            full = len(self._logs) >= MOST_PROBLEMS
            problem = None if full else self.problem(config)
            self._logs[key] = None
            if problem is not None:
                self._logs[key] = log_posterior(problem.nll, problem.n_train)
                self._enumerated[key] = enumerate_all(problem)
        return self._logs[key]

    def known(self, config: TrialConfig) -> Enumerated | None:
        """What `log_posterior` has found out of a trial's task; None if it was not asked for it."""
        return self._enumerated.get(config.problem_key)


def enumerate_all(problem: Problem) -> Enumerated:
    """Look at all networks of a problem."""
    lowest = float(problem.nll.min())
    best = problem.nll <= lowest + 1e-12
    p = np.exp(log_posterior(problem.nll, problem.n_train))
    right = predicted_right(problem, Evaluator(problem).average(p / p.sum()))
    return Enumerated(
        nll=lowest,
        optima=int(best.sum()),
        test_accuracy=float(problem.test_accuracy[best].mean()),
        posterior_expected=float(np.einsum("i,i->", p, problem.test_accuracy)),
        posterior_average=float(right[problem.n_train :].mean()),
    )
