"""How good a distribution over networks is: its accuracy, read in four ways."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray, frozen, readonly
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.loss_table import evaluation_bytes
from qhn.core.evaluation.problem import Problem, keeps_probabilities
from qhn.core.evaluation.task import Task
from qhn.core.metrics import ACCURACIES, VALIDATION
from qhn.core.networks import BinaryNetwork

# Improbable classes are left out of the posterior average. Together they have less than this
# probability.
_SKIPPED_MASS = 1e-6
# An average as close to 1/2 as this is a tie, which counts as label 0 (as a logit within
# `TIE_MARGIN` of 0 does). A symmetric posterior has the average 1/2. But each class probability is
# stored as a float32 with an error of up to 2^−25, so their mean may have that error too. The
# errors of sums in float64 are far smaller. The margin is twice the error.
_TIE_MARGIN = 2.0**-24
_BLOCK_ELEMENTS = 2**15


def validated(
    problem: Task, networks: slice | NDArray[np.int64], shares: FloatArray
) -> dict[str, float]:
    """The expected nll and accuracy on the points that are held out; empty if there are none.

    Args:
        problem: the problem.
        networks: the networks that a distribution consists of.
        shares: their probabilities.
    """
    if not isinstance(problem, Problem) or problem.validation_nll is None:
        return {}
    assert problem.validation_accuracy is not None
    tables = (problem.validation_nll, problem.validation_accuracy)
    return {
        name: float(np.einsum("i,i->", shares, table[networks]))
        for name, table in zip(VALIDATION, tables, strict=True)
    }


class Evaluator:
    """Measures distributions over the networks of one problem.

    It allocates no array of size 2^N. The order of all sums is fixed by the source, and none of
    them uses BLAS, so that a measurement does not depend on the number of threads.
    """

    def __init__(self, problem: Problem) -> None:
        # Numba takes a fifth of a second to import. Planning a sweep imports this module as well,
        # but measures nothing.
        from qhn.core.evaluation import passes

        self._passes = passes
        self._problem = problem
        self._class_of = frozen(problem.class_of)
        kept = problem.class_probabilities
        self._class_probabilities = None if kept is None else frozen(kept)
        self._weights = np.empty(len(problem.representatives))
        self._average = np.empty(problem.n_train + len(problem.dataset.y_test))

    def accuracies(self, q: FloatArray, best_of: int, rng: np.random.Generator) -> dict[str, float]:
        """Training and test accuracy of a distribution, read in four ways.

        * ``expected``: Σ_σ q(σ) accuracy(σ), the mean over sampled networks.
        * ``mode``: the accuracy of the most probable network (of the lowest index on a tie).
        * ``average``: the accuracy of the posterior-averaged prediction. It is label 1 where
          Σ_σ q(σ) P(y = 1 | x, σ) > 1/2, and label 0 where the sum is 1/2 up to rounding.
        * ``best_of_k``: the accuracy of the best of k samples, by training loss.

        All of them are NaN if q is NaN, as it is after a training has diverged.

        Args:
            q: the distribution, shape ``(2^N,)``.
            best_of: the number of samples k, at least 1.
            rng: the random generator that draws the samples.

        Returns:
            The accuracies by the names of `qhn.core.metrics.ACCURACIES`, each between 0 and 1.
            Where training points are held out, also ``validation_nll`` (in nats) and
            ``validation_accuracy_expected``.

        Raises:
            InvalidValueError: if q has another shape, or if k is not a whole number from 1 on.
        """
        problem = self._problem
        # The result, a read-only view, is not used: `argmax` would copy a read-only array.
        self._checked(q)
        expected = float(np.einsum("i,i->", q, problem.train_accuracy))
        if math.isnan(expected):
            names = [metric.name for metric in ACCURACIES]
            held_out = VALIDATION if problem.validation_nll is not None else ()
            return dict.fromkeys([*names, *held_out], math.nan)
        mode = int(np.argmax(q))
        best = self.best_sample(q, best_of, rng)
        right = predicted_right(problem, self.average(q))
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
            **validated(problem, slice(None), q),
        }

    def best_sample(self, q: FloatArray, k: int, rng: np.random.Generator) -> int:
        """The index of the sample with the lowest training loss among k samples from q.

        On a tie it is the sample with the lowest index.
        """
        # `draw` goes through q once, so it takes its uniform numbers in ascending order. Samples
        # are then in ascending order too, and `argmin` takes the lowest index on a tie.
        samples = np.empty(check_count("k", k), dtype=np.int64)
        self._passes.draw(self._checked(q), readonly(np.sort(rng.random(k))), samples)
        return int(samples[np.argmin(self._problem.nll[samples])])

    def average(self, q: FloatArray) -> FloatArray:
        """The posterior average of P(y = 1 | x) at the training points and then the test points.

        Improbable networks are left out, which together hold less than 10⁻⁶ of the probability.

        Returns:
            Shape ``(n_train + n_test,)``: an internal buffer, which the next call overwrites.
        """
        weights, average = self._weights, self._average
        self._passes.class_weights(self._checked(q), self._class_of, weights)
        cutoff = _SKIPPED_MASS / len(weights)
        if self._class_probabilities is not None:
            rows = self._class_probabilities
            self._passes.weighted_rows(readonly(weights), rows, cutoff, average)
        else:
            self._average_anew(cutoff)
        # The weights that were kept add up to a little less than 1.
        kept = np.where(weights > cutoff, weights, 0.0)
        average /= kept.sum()
        return average

    def _checked(self, q: FloatArray) -> FloatArray:
        # Compiled code does not check bounds.
        if q.shape != self._class_of.shape:
            raise InvalidValueError(
                f"q must have the shape (2^N,) = {self._class_of.shape}, but got {q.shape}"
            )
        return readonly(q)

    def _average_anew(self, cutoff: float) -> None:
        """Fill the average from logits, for problems whose class probabilities are not kept."""
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
            # As float32, like the probabilities that other problems keep, so that the same compiled
            # pass serves both.
            weights, kept = readonly(self._weights[block]), frozen(likely.astype(np.float32))
            self._passes.weighted_rows(weights, kept, 0.0, part)
            self._average += part


def predicted_right(problem: Task, average: FloatArray) -> NDArray[np.bool_]:
    """Whether an averaged prediction is right at each point, training points first.

    Args:
        problem: the problem.
        average: P(y = 1 | x) at the training points and then the test points.
    """
    labels = np.concatenate([problem.dataset.y_train, problem.dataset.y_test])
    right: NDArray[np.bool_] = (average > 0.5 + _TIE_MARGIN) == (labels.astype(np.int8) == 1)
    return right


def report_bytes(network: BinaryNetwork, train: int, test: int, best_of: int) -> int:
    """The most memory that `Evaluator.accuracies` takes besides the problem, in bytes.

    Args:
        network: the family of networks.
        train: the number of training points.
        test: the number of test points.
        best_of: the number of samples k.
    """
    n_points = train + test
    # For each class its weight and the weight that is kept, with temporaries; for each point the
    # average and the prediction; for each sample its uniform number and its index.
    always = 25 * network.n_classes + 16 * n_points + 40 * best_of
    if keeps_probabilities(network, train, test):
        return always
    points = 8 * n_points * (network.n_inputs + 1)
    return always + points + evaluation_bytes(network, n_points)
