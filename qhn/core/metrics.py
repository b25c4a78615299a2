"""How good a distribution over networks is: accuracies of its mean, mode, average and samples."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from qhn.core.problem import Problem

FloatArray = NDArray[np.float64]

# Classes whose probabilities add up to less than this are left out of the posterior average.
_SKIPPED_MASS = 1e-6
_BLOCK_ELEMENTS = 2**15


def _read_only(dtype: types.Type, dimensions: int) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


_vector, _ids = _read_only(types.float64, 1), _read_only(types.int32, 1)
_matrix = _read_only(types.float32, 2)
_out = types.float64[::1]


@njit(types.void(_vector, _ids, _out), cache=True, nogil=True)
def _class_weights(q: FloatArray, class_of: NDArray[np.int32], weights: FloatArray) -> None:
    """Probability of each class of equal networks."""
    weights[:] = 0.0
    for index in range(len(q)):
        weights[class_of[index]] += q[index]


@njit(types.void(_vector, _matrix, types.float64, _out), cache=True, nogil=True)
def _weighted_rows(
    weights: FloatArray, rows: NDArray[np.float32], cutoff: float, total: FloatArray
) -> None:
    """Σ_c weights[c] · rows[c] over the weights above the cutoff, row after row."""
    total[:] = 0.0
    for c in range(len(weights)):
        weight = weights[c]
        if weight > cutoff:
            for i in range(len(total)):
                total[i] += weight * rows[c, i]


@njit(types.void(_vector, _vector, types.int64[::1]), cache=True, nogil=True)
def _draw(q: FloatArray, uniform: FloatArray, samples: NDArray[np.int64]) -> None:
    """Outcomes of ascending uniform numbers by the inverse of the cumulative distribution."""
    total = 0.0
    for index in range(len(q)):
        total += q[index]
    # Rounding may carry a number past the end; NaN probabilities do the same.
    samples[:] = len(q) - 1
    drawn = 0
    cumulative = 0.0
    for index in range(len(q)):
        cumulative += q[index]
        while drawn < len(uniform) and uniform[drawn] * total < cumulative:
            samples[drawn] = index
            drawn += 1
        if drawn == len(uniform):
            break


class Evaluator:
    """Measures distributions over one problem's networks; no array of size 2^N is allocated.

    All sums run in an order that the source fixes, without BLAS, so that a measurement does not
    depend on the number of threads.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._weights = np.empty(len(problem.representatives))
        self._average = np.empty(problem.n_train + len(problem.dataset.y_test))
        self._positive = (
            np.concatenate([problem.dataset.y_train, problem.dataset.y_test]).astype(np.int8) == 1
        )

    def accuracies(self, q: FloatArray, best_of: int, rng: np.random.Generator) -> dict[str, float]:
        """Train and test accuracy in four readings of a distribution.

        * ``expected``: Σ_σ q(σ) accuracy(σ), the mean over sampled networks;
        * ``mode``: that of the most probable network (the lowest index on a tie);
        * ``average``: that of the prediction P(y = 1 | x) = Σ_σ q(σ) P(y = 1 | x, σ) > 1/2;
        * ``best_of_k``: that of the sample with the lowest training loss among ``best_of``.

        Args:
            q: shape ``(2^N,)``.
            best_of: number of samples k, at least 1.
            rng: draws the samples.
        """
        problem = self._problem
        mode = int(np.argmax(q))
        best = self.best_sample(q, best_of, rng)
        right = (self.average(q) > 0.5) == self._positive
        n = problem.n_train
        return {
            "train_accuracy_expected": float(np.einsum("i,i->", q, problem.train_accuracy)),
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
        samples = np.empty(k, dtype=np.int64)
        _draw(q, np.sort(rng.random(k)), samples)
        return int(samples[np.argmin(self._problem.nll[samples])])

    def average(self, q: FloatArray) -> FloatArray:
        """Posterior-averaged P(y = 1 | x) at the training and then the test points.

        Networks that hold less than 10⁻⁶ of the probability together are left out.

        Returns:
            Shape ``(n_train + n_test,)``, an internal buffer valid until the next call.
        """
        problem, weights, average = self._problem, self._weights, self._average
        _class_weights(q, problem.class_of, weights)
        cutoff = _SKIPPED_MASS / len(weights)
        if problem.class_probabilities is not None:
            _weighted_rows(weights, problem.class_probabilities, cutoff, average)
        else:
            self._average_anew(cutoff)
        kept = np.where(weights > cutoff, weights, 0.0)
        average /= kept.sum()
        return average

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
            _weighted_rows(self._weights[block], likely.astype(np.float32), 0.0, part)
            self._average += part
