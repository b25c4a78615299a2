"""A problem: a dataset, a family of networks, and the tables that all trials on them share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation.loss_table import Progress, check_points, evaluate, evaluation_bytes
from qhn.core.evaluation.task import Task
from qhn.core.networks import BinaryNetwork

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Class probabilities that would take more memory than this are not kept. They are computed again
# for each report.
MAX_KEPT_BYTES = 512 * 2**20
_SMALL_OBJECTS = 2**18


@dataclass(frozen=True, eq=False)
class Problem(Task):
    """A task with the tables over all of its networks, made by `build_problem`.

    All arrays are plain and read-only, so that processes can share them in memory without a copy.

    Attributes:
        dataset: the training and test points.
        network: the family of networks. Its N bits are the N qubits of the circuit.
        nll: mean negative log-likelihood of each network on the training points, in nats, shape
            ``(2^N,)``.
        train_accuracy: the share of training points that each network predicts correctly, shape
            ``(2^N,)``.
        test_accuracy: the same for the test points.
        representatives: the index of one network of each class of equal networks, shape ``(C,)``.
        class_of: the class of each network, shape ``(2^N,)``.
        class_probabilities: P(y = 1 | x) of each class at the training points and then at the test
            points, shape ``(C, n_train + n_test)``, float32; None if it would be too large.
        validation_nll: as ``nll``, on the points that are held out; None if there are none.
        validation_accuracy: as ``test_accuracy``, on these points.
    """

    nll: FloatArray
    train_accuracy: FloatArray
    test_accuracy: FloatArray
    representatives: NDArray[np.int64]
    class_of: NDArray[np.int32]
    class_probabilities: NDArray[np.float32] | None
    validation_nll: FloatArray | None = None
    validation_accuracy: FloatArray | None = None


def build_problem(
    dataset: Dataset, network: BinaryNetwork, progress: Progress | None = None
) -> Problem:
    """Evaluate every network on every point of a dataset. The dataset's arrays become read-only.

    Args:
        dataset: the points, from `qhn.core.data.datasets`.
        network: a family of networks with as many inputs as the dataset.
        progress: called from time to time with the finished fraction, and at the end with 1.0.

    Raises:
        InvalidValueError: if the points do not fit the network, or are not finite.
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
    held_out = None
    if dataset.x_validation is not None and dataset.y_validation is not None:
        held_out = evaluate(
            network, classes.representatives, dataset.x_validation, dataset.y_validation
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
        validation_nll=None if held_out is None else held_out.nll[classes.class_of],
        validation_accuracy=None if held_out is None else held_out.accuracy[classes.class_of],
    )
    for holder in (problem, dataset):
        _close(holder)
    return problem


def build_task(dataset: Dataset, network: BinaryNetwork) -> Task:
    """A task without tables. The dataset's arrays become read-only, as in `build_problem`.

    Raises:
        InvalidValueError: if the points do not fit the network, or are not finite.
    """
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        check_points(network, x, y)
    _close(dataset)
    return Task(dataset, network)


def _close(holder: DataclassInstance) -> None:
    """Make the arrays of a dataclass read-only.

    Arrays in Ray's shared memory are read-only. Those of this process become so too, so that code
    that writes to them fails in both cases.
    """
    for field in fields(holder):
        value = getattr(holder, field.name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False


def _probability_bytes(network: BinaryNetwork, train: int, test: int) -> int:
    return 4 * network.n_classes * (train + test)


def keeps_probabilities(network: BinaryNetwork, train: int, test: int) -> bool:
    """Whether a problem of this size keeps its class probabilities."""
    return _probability_bytes(network, train, test) <= MAX_KEPT_BYTES


def problem_bytes(
    network: BinaryNetwork, train: int, test: int, *, validation: bool = False
) -> int:
    """The most memory that `build_problem` takes, in bytes, computed without building anything.

    With few points, the problem itself keeps most of it. With many points, most of it is needed
    only while they are evaluated.

    Args:
        network: the family of networks.
        train: the number of training points.
        test: the number of test points.
        validation: whether some of the training points are held out.
    """
    keeps = keeps_probabilities(network, train, test)
    kept = _probability_bytes(network, train, test) if keeps else 0
    points = 8 * (train + test) * (network.n_inputs + 1)
    # For each class two scores on each split and its representative, 8 bytes each. For each network
    # its class (4 bytes), and in the end three tables of doubles as well (28 bytes in all).
    tables = 28 + (16 if validation else 0)
    classes = kept + (56 if validation else 40) * network.n_classes
    evaluating = classes + (4 << network.n_qubits) + evaluation_bytes(network, max(train, test))
    gathering = classes + (tables << network.n_qubits)
    return points + max(network.classes_bytes, evaluating, gathering) + _SMALL_OBJECTS
