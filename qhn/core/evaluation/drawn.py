"""How good drawn networks are: the losses and accuracies of samples, which are all that is known.

Up to twenty qubits they are looked up in the tables of the problem. Beyond that there are none,
since a table would take longer to make than a training. So the strings that were drawn are
evaluated, each of them once.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.bits import bits
from qhn.core.evaluation.accuracy import Evaluator, predicted_right, validated
from qhn.core.evaluation.problem import Problem
from qhn.core.evaluation.strings import score_strings
from qhn.core.evaluation.task import Task

# How many networks are evaluated at a time for the posterior average. Their probabilities at a
# thousand points take a few MiB.
_BLOCK_STRINGS = 2**9


class NetworkScores(NamedTuple):
    """Scores of networks; all arrays have the shape of the indices that they are for.

    Attributes:
        nll: the mean negative log-likelihood on the training points, in nats.
        train_accuracy: the share of training points that are predicted correctly.
        test_accuracy: the same for the test points.
    """

    nll: FloatArray
    train_accuracy: FloatArray
    test_accuracy: FloatArray


class Scorer(Protocol):
    """Scores given networks of one problem."""

    def nll(self, indices: IntArray) -> FloatArray:
        """The loss of each network, in the shape of ``indices``."""

    def scores(self, indices: IntArray) -> NetworkScores:
        """Loss and accuracies of each network, in the shape of ``indices``."""

    def average(self, strings: IntArray, shares: FloatArray) -> FloatArray:
        """The average of P(y = 1 | x) at the training points and then the test points.

        Args:
            strings: different networks, shape ``(U,)``.
            shares: how much each of them counts, shape ``(U,)``, 1 in all.
        """


def scorer(task: Task) -> Scorer:
    """A scorer that looks networks up where a task has tables, and else evaluates them."""
    return TableScorer(task) if isinstance(task, Problem) else StringScorer(task)


class TableScorer:
    """Looks networks up in the tables of the problem."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._evaluator = Evaluator(problem)

    def nll(self, indices: IntArray) -> FloatArray:
        """See `Scorer.nll`."""
        return self._problem.nll[indices]

    def scores(self, indices: IntArray) -> NetworkScores:
        """See `Scorer.scores`."""
        problem = self._problem
        return NetworkScores(
            problem.nll[indices], problem.train_accuracy[indices], problem.test_accuracy[indices]
        )

    def average(self, strings: IntArray, shares: FloatArray) -> FloatArray:
        """See `Scorer.average`."""
        q = np.zeros(len(self._problem.nll))
        q[strings] = shares
        return self._evaluator.average(q)


class StringScorer:
    """Evaluates the networks that are asked for. It uses no array over all 2^N networks."""

    def __init__(self, task: Task) -> None:
        self._network, self._dataset = task.network, task.dataset

    def nll(self, indices: IntArray) -> FloatArray:
        """See `Scorer.nll`."""
        data = self._dataset
        strings, places = np.unique(indices, return_inverse=True)
        drawn = bits(strings, self._network.n_qubits)
        losses = score_strings(self._network, drawn, data.x_train, data.y_train).nll
        return losses[places].reshape(indices.shape)

    def scores(self, indices: IntArray) -> NetworkScores:
        """See `Scorer.scores`."""
        data, network = self._dataset, self._network
        strings, places = np.unique(indices, return_inverse=True)
        drawn = bits(strings, network.n_qubits)
        train = score_strings(network, drawn, data.x_train, data.y_train)
        test = score_strings(network, drawn, data.x_test, data.y_test)
        found = (train.nll, train.accuracy, test.accuracy)
        return NetworkScores(*(values[places].reshape(indices.shape) for values in found))

    def average(self, strings: IntArray, shares: FloatArray) -> FloatArray:
        """See `Scorer.average`."""
        points = np.vstack([self._dataset.x_train, self._dataset.x_test])
        total = np.zeros(len(points))
        for start in range(0, len(strings), _BLOCK_STRINGS):
            block = slice(start, start + _BLOCK_STRINGS)
            drawn = bits(strings[block], self._network.n_qubits)
            z = np.clip(self._network.logits_of_bits(drawn, points), -700.0, 700.0)
            # `einsum` and not a matrix product: BLAS adds in an order of its own.
            total += np.einsum("s,sp->p", shares[block], 1.0 / (1.0 + np.exp(-z)))
        return total


def accuracies_of_samples(
    problem: Task, scores: Scorer, samples: IntArray, best_of: int, rng: np.random.Generator
) -> dict[str, float]:
    """Training and test accuracy of the distribution that samples come from, read in four ways.

    * ``expected``: the mean over the samples, without bias.
    * ``mode``: the accuracy of the string that was drawn most often (the lowest one on a tie).
    * ``average``: the accuracy of the prediction that is averaged over the samples.
    * ``best_of_k``: the accuracy of the best of k samples, by training loss. The k are chosen from
      the samples without repetition. Where there are fewer than k, all of them are taken.

    Args:
        problem: the problem.
        scores: its scorer.
        samples: indices of outcomes, shape ``(S,)``, S >= 1.
        best_of: k.
        rng: chooses the k samples.

    Returns:
        The accuracies by the names of `qhn.core.metrics.ACCURACIES`.
    """
    strings, counts = np.unique(samples, return_counts=True)
    found = scores.scores(strings)
    shares = counts / len(samples)
    mode = int(np.argmax(counts))
    chosen = rng.choice(len(samples), size=min(best_of, len(samples)), replace=False)
    # Ascending, so that `argmin` takes the lowest index on a tie.
    places = np.searchsorted(strings, np.sort(samples[chosen]))
    best = int(places[np.argmin(found.nll[places])])
    right = predicted_right(problem, scores.average(strings, shares))
    n = problem.n_train
    return {
        "train_accuracy_expected": float(np.einsum("i,i->", shares, found.train_accuracy)),
        "test_accuracy_expected": float(np.einsum("i,i->", shares, found.test_accuracy)),
        "train_accuracy_mode": float(found.train_accuracy[mode]),
        "test_accuracy_mode": float(found.test_accuracy[mode]),
        "train_accuracy_average": float(right[:n].mean()),
        "test_accuracy_average": float(right[n:].mean()),
        "train_accuracy_best_of_k": float(found.train_accuracy[best]),
        "test_accuracy_best_of_k": float(found.test_accuracy[best]),
        **validated(problem, strings, shares),
    }


def error_of_mean(values: FloatArray) -> float:
    """The standard error of the mean of independent values, shape ``(S,)``; NaN for one value."""
    if len(values) < 2:
        return math.nan
    return float(values.std(ddof=1)) / math.sqrt(len(values))
