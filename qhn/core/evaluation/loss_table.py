"""Loss and accuracy of all 2^N networks of a family on given points.

A table is computed once, block by block, and shared by every trial that needs it. Networks that
differ only by a permutation of hidden units are evaluated once, so their entries are equal to the
last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.networks import BinaryNetwork, IndexArray

Progress = Callable[[float], None]

# Number of logits in one block. They take 256 KiB, so that a block and its temporaries stay in the
# cache of one core.
_BLOCK_ELEMENTS = 2**15
# The hidden units of some networks cancel, so that their logit is 0 at every point except for
# rounding errors, which differ between networks that are mathematically the same. A logit within
# this margin counts as 0, and gives label 0.
TIE_MARGIN = 1e-12


class Scores(NamedTuple):
    """The scores of networks on one set of points; both arrays have the shape ``(networks,)``.

    Attributes:
        nll: the mean negative Bernoulli log-likelihood, in nats.
        accuracy: the share of points whose label is predicted correctly. A network predicts label 1
            if its logit is above `TIE_MARGIN`.
    """

    nll: FloatArray
    accuracy: FloatArray


def loss_table(
    network: BinaryNetwork, x: ArrayLike, y: ArrayLike, progress: Progress | None = None
) -> FloatArray:
    """The mean negative Bernoulli log-likelihood of every network of a family.

    nll(σ) = (1/n) Σ_i [softplus(z_σ(x_i)) − y_i z_σ(x_i)], where z_σ is the logit of network σ.

    Args:
        network: the family of networks, from `qhn.core.networks`.
        x: inputs, shape ``(n, d)``.
        y: labels 0 or 1, shape ``(n,)``.
        progress: called from time to time with the finished fraction, and at the end with 1.0.

    Returns:
        Losses in nats, shape ``(2^N,)``, in the order of basis-state indices.

    Raises:
        InvalidValueError: if a shape is wrong, if there are no points, if a coordinate is NaN or
            infinite, or if a label is not 0 or 1.

    Example:
        >>> from qhn.core import networks
        >>> loss_table(networks.logistic(1), [[0.0]], [1]).round(3).tolist()
        [1.313, 0.313, 1.313, 0.313]
    """
    classes = network.classes()
    scores = evaluate(network, classes.representatives, x, y, progress=progress)
    return scores.nll[classes.class_of]


def check_points(
    network: BinaryNetwork, x: ArrayLike, y: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Inputs and labels as arrays of floats.

    Raises:
        InvalidValueError: as `loss_table`.
    """
    points, labels = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != network.n_inputs or len(points) == 0:
        raise InvalidValueError(
            f"x must have the shape (n, {network.n_inputs}) with n >= 1 for this "
            f"{network.kind} network, but got {points.shape}"
        )
    if labels.shape != (len(points),):
        raise InvalidValueError(
            f"y must have one label per point, shape ({len(points)},), but got {labels.shape}"
        )
    if not np.isfinite(points).all():
        where = np.argwhere(~np.isfinite(points))[0]
        raise InvalidValueError(
            f"x must be finite, but got {points[tuple(where)]} in row {where[0]}, column {where[1]}"
        )
    wrong = labels[(labels != 0) & (labels != 1)]
    if len(wrong):
        raise InvalidValueError(f"labels must be 0 or 1, but got {wrong[0]:g}")
    return points, labels


def evaluate(
    network: BinaryNetwork,
    representatives: IndexArray,
    x: ArrayLike,
    y: ArrayLike,
    *,
    probabilities: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score the given networks.

    Args:
        network: the family of networks.
        representatives: indices of the networks, shape ``(C,)``.
        x: inputs, shape ``(n, d)``.
        y: labels 0 or 1, shape ``(n,)``.
        probabilities: an array of shape ``(C, n)`` that is filled with P(y = 1 | x, σ), or None.
        progress: called from time to time with the finished fraction, and at the end with 1.0.

    Raises:
        InvalidValueError: as `loss_table`.
    """
    points, labels = check_points(network, x, y)
    logits = network.evaluator(points)
    return score_blocks(
        lambda block: logits(representatives[block]),
        len(representatives),
        _block_rows(len(points)),
        labels,
        probabilities=probabilities,
        progress=progress,
    )


def score_blocks(
    logits: Callable[[slice], FloatArray],
    count: int,
    rows: int,
    labels: FloatArray,
    *,
    probabilities: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score networks block by block, so that memory does not grow with their number.

    Args:
        logits: a function from a slice of networks to their logits at every point, shape
            ``(networks of the slice, n)``. Its result is overwritten.
        count: the number of networks.
        rows: the number of networks in a block.
        labels: 0 or 1, shape ``(n,)``.
        probabilities: as in `evaluate`.
        progress: as in `evaluate`.
    """
    positive = labels == 1
    towards_loss = 1.0 - 2.0 * labels
    scores = Scores(np.empty(count), np.empty(count))
    reported = 0.0
    for start in range(0, count, rows):
        block = slice(start, min(start + rows, count))
        z = logits(block)
        # exp(−|z|) is never larger than 1, so it cannot overflow. Class probabilities and losses
        # are both made from it.
        small = np.abs(z)
        np.exp(np.negative(small, out=small), out=small)
        above = z > TIE_MARGIN
        if probabilities is not None:
            # The sigmoid of |z|. Where z is negative, its sigmoid is 1 minus that.
            likely = 1.0 / (1.0 + small)
            np.subtract(1.0, likely, out=likely, where=z < 0)
            probabilities[block] = likely
        scores.accuracy[block] = np.count_nonzero(above == positive, axis=1) / len(labels)
        # The loss of a point is softplus(s) = max(s, 0) + log1p(exp(−|s|)), where s = −z for label
        # 1 and s = z for label 0.
        z *= towards_loss
        np.maximum(z, 0.0, out=z)
        z += np.log1p(small, out=small)
        scores.nll[block] = z.mean(axis=1)
        done = block.stop / count
        if progress is not None and (done >= reported + 0.01 or block.stop == count):
            reported = done
            progress(done)
    return scores


def _block_rows(points: int) -> int:
    return max(1, _BLOCK_ELEMENTS // points)


def evaluation_bytes(network: BinaryNetwork, points: int) -> int:
    """The most memory that `evaluate` takes besides its arguments and results, in bytes."""
    rows = min(_block_rows(points), network.n_classes)
    # A block of logits with four temporaries of its size; below, labels and signs of the points.
    blocks = 8 * rows * points * 5
    return network.evaluator_bytes(points) + blocks + 16 * points
