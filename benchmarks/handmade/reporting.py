"""The metrics that qhn reports, computed with NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from engines.base import FloatArray
from numpy.typing import NDArray

from qhn.core.evaluation.problem import Problem

# As many networks are drawn for the accuracy of the best one, as qhn draws by default.
_BEST_OF = 64


@dataclass(frozen=True)
class Tables:
    """What all trials share: plain arrays, which Ray's object store gives to them without copies.

    Attributes:
        nll: the loss of each network, shape ``(2^N,)``.
        train_accuracy: the share of training points that it predicts correctly, shape ``(2^N,)``.
        test_accuracy: the same for the test points.
        class_of: the class of equal networks that it belongs to, shape ``(2^N,)``.
        probabilities: P(y = 1) of each class at training and then test points, shape ``(C, n)``.
        labels: whether y = 1 at these points, shape ``(n,)``.
        points: the number of training points.
    """

    nll: FloatArray
    train_accuracy: FloatArray
    test_accuracy: FloatArray
    class_of: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.bool_]
    points: int

    @classmethod
    def of(cls, problem: Problem) -> Tables:
        """The tables of a problem of qhn."""
        assert problem.class_probabilities is not None
        return cls(
            nll=problem.nll,
            train_accuracy=problem.train_accuracy,
            test_accuracy=problem.test_accuracy,
            class_of=problem.class_of,
            probabilities=problem.class_probabilities,
            labels=np.concatenate([problem.dataset.y_train, problem.dataset.y_test]) == 1,
            points=problem.n_train,
        )


def measure(tables: Tables, q: FloatArray, rng: np.random.Generator) -> dict[str, float]:
    """The metrics of a distribution, shape ``(2^N,)``.

    Args:
        tables: the tables of the networks.
        q: the distribution.
        rng: draws the networks of which the best one is taken.
    """
    n_qubits = int(np.log2(len(q)))
    entropy = -float(q @ np.log(np.maximum(q, 1e-300)))
    weights = np.bincount(tables.class_of, weights=q, minlength=len(tables.probabilities))
    average = weights.astype(np.float32) @ tables.probabilities
    right = (average > 0.5) == tables.labels
    drawn = rng.choice(len(q), size=_BEST_OF, p=q / q.sum())
    chosen = {"mode": int(np.argmax(q)), "best_of_k": int(drawn[np.argmin(tables.nll[drawn])])}
    metrics = {
        "nll": float(q @ tables.nll),
        "kl": n_qubits * float(np.log(2)) - entropy,
        "mmd2": mmd2(q, n_qubits),
        "entropy": entropy,
        "train_accuracy_average": float(right[: tables.points].mean()),
        "test_accuracy_average": float(right[tables.points :].mean()),
    }
    for part, table in (("train", tables.train_accuracy), ("test", tables.test_accuracy)):
        metrics[f"{part}_accuracy_expected"] = float(q @ table)
        for name, index in chosen.items():
            metrics[f"{part}_accuracy_{name}"] = float(table[index])
    return metrics


def mmd2(q: FloatArray, n_qubits: int) -> float:
    """MMD² to the uniform distribution, with the Gaussian kernel of bandwidth N / 4 on bits."""
    unlike = float(np.exp(-1 / (2 * (n_qubits / 4) ** 2)))
    # The kernel is a product over bits: 1 where a bit is the same, and `unlike` where it differs.
    smooth = q
    for qubit in range(n_qubits):
        pairs = smooth.reshape(2**qubit, 2, -1)
        smooth = (pairs + unlike * pairs[:, ::-1]).reshape(-1)
    return float(q @ smooth) - ((1 + unlike) / 2) ** n_qubits
