"""How good a distribution over networks is: accuracies of its mean, mode, average and samples."""

from __future__ import annotations

import math

import numpy as np

from qhn.core.arrays import FloatArray, frozen, readonly
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.loss_table import evaluation_bytes
from qhn.core.evaluation.problem import Problem, keeps_probabilities
from qhn.core.metrics import ACCURACIES
from qhn.core.networks import BinaryNetwork

# Classes whose probabilities add up to less than this are left out of the posterior average.
_SKIPPED_MASS = 1e-6
# An average this close to 1/2 is a tie, label 0 (as a logit within `TIE_MARGIN` of 0 is). Where a
# posterior is symmetric the average is 1/2, but each class probability is kept as a float32, off
# by up to 2^−25, and so may be their mean; sums in float64 add far less. Twice that is the margin.
_TIE_MARGIN = 2.0**-24
_BLOCK_ELEMENTS = 2**15


class Evaluator:
    """Measures distributions over one problem's networks; no array of size 2^N is allocated.

    All sums run in an order that the source fixes, without BLAS, so that a measurement does not
    depend on the number of threads.
    """

    def __init__(self, problem: Problem) -> None:
        # Numba takes a fifth of a second to import, and configurations need no metrics.
        from qhn.core.evaluation import passes

        self._passes = passes
        self._problem = problem
        self._class_of = frozen(problem.class_of)
        kept = problem.class_probabilities
        self._class_probabilities = None if kept is None else frozen(kept)
        self._weights = np.empty(len(problem.representatives))
        self._average = np.empty(problem.n_train + len(problem.dataset.y_test))
        self._positive = (
            np.concatenate([problem.dataset.y_train, problem.dataset.y_test]).astype(np.int8) == 1
        )

    def accuracies(self, q: FloatArray, best_of: int, rng: np.random.Generator) -> dict[str, float]:
        """Train and test accuracy in four readings of a distribution.

        * ``expected``: Σ_σ q(σ) accuracy(σ), the mean over sampled networks;
        * ``mode``: that of the most probable network (the lowest index on a tie);
        * ``average``: that of the prediction P(y = 1 | x) = Σ_σ q(σ) P(y = 1 | x, σ) > 1/2,
          label 0 where it is 1/2 up to rounding;
        * ``best_of_k``: that of the sample with the lowest training loss among ``best_of``.

        All of them are NaN if q is, as it is when training has diverged.

        Args:
            q: shape ``(2^N,)``.
            best_of: number of samples k, at least 1.
            rng: draws the samples.

        Raises:
            InvalidValueError: if q has another shape, or k is below 1.
        """
        problem = self._problem
        self._checked(q)  # and left as it is: argmax would copy a read-only array
        expected = float(np.einsum("i,i->", q, problem.train_accuracy))
        if math.isnan(expected):
            return {metric.name: math.nan for metric in ACCURACIES}
        mode = int(np.argmax(q))
        best = self.best_sample(q, best_of, rng)
        right = (self.average(q) > 0.5 + _TIE_MARGIN) == self._positive
        n = problem.n_train
        return {
            "train_accuracy_expected": expected,
            "test_accuracy_expected": float(np.einsum("i,i->", q, problem.test_accuracy)),
            "train_accuracy_mode": float(problem.train_accuracy[mode]),
            "test_accuracy_mode": float(problem.test_accuracy[mode]),
            "train_accuracy_average": float(right[:n].mean()),
            "test_accuracy_average": float(right[n:].mean()),
            "train_accuracy_best_of_k": float(problem.train_accuracy[best]),
            "test_accuracy_best_of_k": float(problem.test_accuracy[best]),
        }

    def best_sample(self, q: FloatArray, k: int, rng: np.random.Generator) -> int:
        """Index of the lowest training loss among k samples from q (the lowest index on a tie)."""
        samples = np.empty(check_count("k", k), dtype=np.int64)
        self._passes.draw(self._checked(q), readonly(np.sort(rng.random(k))), samples)
        return int(samples[np.argmin(self._problem.nll[samples])])

    def average(self, q: FloatArray) -> FloatArray:
        """Posterior-averaged P(y = 1 | x) at the training and then the test points.

        Networks that hold less than 10⁻⁶ of the probability together are left out.

        Returns:
            Shape ``(n_train + n_test,)``, an internal buffer valid until the next call.
        """
        weights, average = self._weights, self._average
        self._passes.class_weights(self._checked(q), self._class_of, weights)
        cutoff = _SKIPPED_MASS / len(weights)
        if self._class_probabilities is not None:
            rows = self._class_probabilities
            self._passes.weighted_rows(readonly(weights), rows, cutoff, average)
        else:
            self._average_anew(cutoff)
        kept = np.where(weights > cutoff, weights, 0.0)
        average /= kept.sum()
        return average

    def _checked(self, q: FloatArray) -> FloatArray:
        # Compiled passes check no bounds.
        if q.shape != self._class_of.shape:
            raise InvalidValueError(
                f"q must have the shape (2^N,) = {self._class_of.shape}, but got {q.shape}"
            )
        return readonly(q)

    def _average_anew(self, cutoff: float) -> None:
        """The weighted rows, from logits: for families whose probabilities are not kept."""
        problem = self._problem
        points = np.vstack([problem.dataset.x_train, problem.dataset.x_test])
        logits = problem.network.evaluator(points)
        chosen = np.flatnonzero(self._weights > cutoff)
        rows = max(1, _BLOCK_ELEMENTS // len(points))
        part = np.empty_like(self._average)
        self._average[:] = 0.0
        for start in range(0, len(chosen), rows):
            block = chosen[start : start + rows]
            z = logits(problem.representatives[block])
            likely = 1.0 / (1.0 + np.exp(-np.clip(z, -700.0, 700.0)))
            weights, kept = readonly(self._weights[block]), frozen(likely.astype(np.float32))
            self._passes.weighted_rows(weights, kept, 0.0, part)
            self._average += part


def report_bytes(network: BinaryNetwork, train: int, test: int, best_of: int) -> int:
    """Memory that `Evaluator.accuracies` takes at most beside the problem, in bytes.

    Args:
        network: the family.
        train: number of training points.
        test: number of test points.
        best_of: number of samples k.
    """
    n_points = train + test
    # Weights by class and those kept; average and predictions by point; numbers and samples drawn.
    always = 25 * network.n_classes + 16 * n_points + 40 * best_of
    if keeps_probabilities(network, train, test):
        return always
    points = 8 * n_points * (network.n_inputs + 1)
    return always + points + evaluation_bytes(network, n_points)
