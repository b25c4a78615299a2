"""What a trained distribution predicts at new points, and how certain it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.errors import InvalidValueError
from qhn.core.networks import BinaryNetwork
from qhn.core.networks.family import as_points

#: Improbable networks are left out that together have less than this probability.
SKIPPED_MASS = 1e-6
_BLOCK_ELEMENTS = 2**20


@dataclass(frozen=True)
class Predictive:
    """The posterior predictive distribution of the label at n points. All arrays have shape (n,).

    Attributes:
        probability: P(y = 1 | x) = Σ_σ q(σ) P(y = 1 | x, σ).
        deviation: the standard deviation of P(y = 1 | x, σ) over networks σ drawn from q.
        entropy: the entropy of the label under ``probability``, in nats: its total uncertainty.
        aleatoric: Σ_σ q(σ) H[y | x, σ] in nats: what would be left if the network was known.
        epistemic: ``entropy − aleatoric`` in nats, the mutual information of label and network:
            how much the networks disagree (Depeweg et al. 2018, "Decomposition of Uncertainty").
    """

    probability: FloatArray
    deviation: FloatArray
    entropy: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray


def predictive(network: BinaryNetwork, q: FloatArray, x: FloatArray) -> Predictive:
    """The posterior predictive distribution at some points.

    Args:
        network: the family of networks.
        q: the distribution over its 2^N networks, shape ``(2^N,)``.
        x: the points, shape ``(n, d)``.

    Raises:
        InvalidValueError: if q or x has another shape, if a number of either is not finite, or if
            q does not add up to 1.
    """
    points = _checked(network, q, x)
    chosen = np.flatnonzero(q > SKIPPED_MASS / len(q))
    weights = q[chosen] / q[chosen].sum()
    mean, square, entropy = (np.zeros(len(points)) for _ in range(3))
    for part, likely in _likely(network, points, chosen, weights):
        mean += np.einsum("i,ij->j", part, likely)
        square += np.einsum("i,ij->j", part, likely**2)
        entropy += np.einsum("i,ij->j", part, binary_entropy(likely))
    total = binary_entropy(mean)
    return Predictive(
        probability=mean,
        deviation=np.sqrt(np.maximum(0.0, square - mean**2)),
        entropy=total,
        aleatoric=entropy,
        # It cannot be negative (Jensen), apart from rounding.
        epistemic=np.maximum(0.0, total - entropy),
    )


def predictive_probability(network: BinaryNetwork, q: FloatArray, x: FloatArray) -> FloatArray:
    """P(y = 1 | x) alone, averaged over q, shape ``(n,)``: as in `predictive`, but for rounding.

    Networks that are equal by symmetry are evaluated once, and no uncertainties are computed, so
    that it takes a tenth of the time. The arguments and errors are those of `predictive`.
    """
    points = _checked(network, q, x)
    classes = network.classes()
    of_class = np.bincount(classes.class_of, q, minlength=len(classes.representatives))
    chosen = np.flatnonzero(of_class > SKIPPED_MASS / len(of_class))
    weights = of_class[chosen] / of_class[chosen].sum()
    mean: FloatArray = np.zeros(len(points))
    for part, likely in _likely(network, points, classes.representatives[chosen], weights):
        mean += np.einsum("i,ij->j", part, likely)
    return mean


def _likely(
    network: BinaryNetwork, points: FloatArray, indices: IntArray, weights: FloatArray
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """P(y = 1 | x, σ) of some networks at a time, after their weights."""
    logits = network.evaluator(points)
    rows = max(1, _BLOCK_ELEMENTS // max(1, len(points)))
    for start in range(0, len(indices), rows):
        z = np.clip(logits(indices[start : start + rows]), -700.0, 700.0)
        yield weights[start : start + rows], 1.0 / (1.0 + np.exp(-z))


def _checked(network: BinaryNetwork, q: FloatArray, x: FloatArray) -> FloatArray:
    """The points, after a check of them and of q."""
    points = as_points(x, network.n_inputs)
    if q.shape != (2**network.n_qubits,):
        raise InvalidValueError(
            f"q must have the shape (2^N,) = ({2**network.n_qubits},), but got {q.shape}"
        )
    if not (np.isfinite(q).all() and (q >= 0).all() and abs(float(q.sum()) - 1) < 1e-6):
        raise InvalidValueError(
            f"q must be probabilities that add up to 1, but they add up to {float(q.sum()):g}"
        )
    if not np.isfinite(points).all():
        raise InvalidValueError("points must be finite numbers, but some are not; leave them out")
    return points


def binary_entropy(p: FloatArray) -> FloatArray:
    """The entropy −p ln p − (1 − p) ln(1 − p) of labels with these probabilities, in nats."""
    from scipy.special import entr

    return np.asarray(entr(p) + entr(1.0 - p))


def expected_calibration_error(
    probability: FloatArray, labels: FloatArray, bins: int = 10
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """How far predicted probabilities are from frequencies (Guo et al. 2017, eq. 3).

    Points are divided by their predicted probability into bins of equal width. With n_b of n points
    in bin b, their mean prediction p_b and the share f_b of them that has the label 1, it is

        ECE = Σ_b n_b / n · |p_b − f_b|.

    Args:
        probability: predictions of P(y = 1 | x), shape ``(n,)``, n at least 1.
        labels: 0 or 1, shape ``(n,)``.
        bins: the number of bins.

    Returns:
        The error, and for each bin that has points p_b, f_b and n_b.
    """
    places = np.minimum((probability * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins).astype(np.float64)
    used = counts > 0
    predicted = np.bincount(places, probability, bins)[used] / counts[used]
    frequent = np.bincount(places, labels, bins)[used] / counts[used]
    counts = counts[used]
    error = float((counts / counts.sum() * np.abs(predicted - frequent)).sum())
    return error, predicted, frequent, counts
