"""A problem: one dataset, one family of networks, and the tables that all its trials share."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation.loss_table import Progress, evaluate, evaluation_bytes
from qhn.core.networks import BinaryNetwork

# Beyond this size the class probabilities are worked out anew for each report instead of kept.
MAX_KEPT_BYTES = 512 * 2**20
_SMALL_OBJECTS = 2**18


@dataclass(frozen=True, eq=False)
class Problem:
    """Plain read-only arrays, so that it travels through shared memory without a copy.

    Attributes:
        dataset: the points.
        network: the family of networks; its N bits are the circuit's N qubits.
        nll: mean negative log-likelihood on the training points, shape ``(2^N,)``.
        train_accuracy: share of training points predicted right, shape ``(2^N,)``.
        test_accuracy: the same on the test points.
        representatives: one network of each class of equal networks, shape ``(C,)``.
        class_of: the class of each network, shape ``(2^N,)``.
        class_probabilities: P(y = 1 | x) of each class at the training points and then the test
            points, shape ``(C, n_train + n_test)``, float32; None where it would be too large.
    """

    dataset: Dataset
    network: BinaryNetwork
    nll: FloatArray
    train_accuracy: FloatArray
    test_accuracy: FloatArray
    representatives: NDArray[np.int64]
    class_of: NDArray[np.int32]
    class_probabilities: NDArray[np.float32] | None

    @property
    def n_qubits(self) -> int:
        """N, the number of binary parameters of the network."""
        return self.network.n_qubits

    @property
    def n_train(self) -> int:
        """Number of training points n, the divisor of λ."""
        return len(self.dataset.y_train)


def build_problem(
    dataset: Dataset, network: BinaryNetwork, progress: Progress | None = None
) -> Problem:
    """Evaluate every network on every point of the dataset, whose arrays become read-only.

    Args:
        dataset: from `qhn.core.data.datasets`.
        network: a family whose number of inputs is the dataset's.
        progress: called now and then with the finished fraction, at last with 1.0.

    Raises:
        InvalidValueError: the points do not fit the network, or are not finite.
    """
    classes = network.classes()
    train, test = len(dataset.y_train), len(dataset.y_test)
    kept = None
    if keeps_probabilities(network, train, test):
        kept = np.empty((len(classes.representatives), train + test), dtype=np.float32)

    def part(offset: int, points: int) -> Progress | None:
        if progress is None:
            return None
        return lambda done: progress((offset + done * points) / (train + test))

    on_train = evaluate(
        network,
        classes.representatives,
        dataset.x_train,
        dataset.y_train,
        probabilities=None if kept is None else kept[:, :train],
        progress=part(0, train),
    )
    on_test = evaluate(
        network,
        classes.representatives,
        dataset.x_test,
        dataset.y_test,
        probabilities=None if kept is None else kept[:, train:],
        progress=part(train, test),
    )
    problem = Problem(
        dataset=dataset,
        network=network,
        nll=on_train.nll[classes.class_of],
        train_accuracy=on_train.accuracy[classes.class_of],
        test_accuracy=on_test.accuracy[classes.class_of],
        representatives=classes.representatives,
        class_of=classes.class_of,
        class_probabilities=kept,
    )
    for holder in (problem, dataset):
        for field in fields(holder):
            value = getattr(holder, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
    return problem


def _probability_bytes(network: BinaryNetwork, train: int, test: int) -> int:
    return 4 * network.n_classes * (train + test)


def keeps_probabilities(network: BinaryNetwork, train: int, test: int) -> bool:
    """Whether a problem keeps its class probabilities."""
    return _probability_bytes(network, train, test) <= MAX_KEPT_BYTES


def problem_bytes(network: BinaryNetwork, train: int, test: int) -> int:
    """Memory that `build_problem` takes at most, in bytes, computed without building it.

    Beside few points most of it stays; beside many, what evaluating them takes is given back.

    Args:
        network: the family.
        train: number of training points.
        test: number of test points.
    """
    keeps = keeps_probabilities(network, train, test)
    kept = _probability_bytes(network, train, test) if keeps else 0
    points = 8 * (train + test) * (network.n_inputs + 1)
    # Scores and representatives of each class; three float tables and the class of each network.
    classes = kept + 40 * network.n_classes
    evaluating = classes + (4 << network.n_qubits) + evaluation_bytes(network, max(train, test))
    gathering = classes + (28 << network.n_qubits)
    return points + max(network.classes_bytes, evaluating, gathering) + _SMALL_OBJECTS
