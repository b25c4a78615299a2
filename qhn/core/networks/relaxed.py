"""Binary networks with real weights: their training loss, and its gradient.

Every weight enters the formulas of `qhn.core.networks` as it is. The activation weight a of a
hidden layer mixes both activations, (1 + a)/2 · sigmoid + (1 − a)/2 · ReLU. At weights of −1 and +1
this is the binary network itself.
"""

from __future__ import annotations

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.networks.family import BinaryNetwork, as_points
from qhn.core.networks.hidden import MLP
from qhn.core.networks.linear import Logistic


def relaxed_loss(
    network: BinaryNetwork, weights: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[float, FloatArray]:
    """The mean negative log-likelihood of labels, and its derivatives by the weights.

    Args:
        network: the family of networks.
        weights: real weights in the order of the bits, shape ``(N,)``.
        x: points, shape ``(n, d)``.
        y: their labels in {0, 1}, shape ``(n,)``.

    Returns:
        The loss in nats, and the gradient, shape ``(N,)``.

    Raises:
        InvalidValueError: if there are no such formulas for the family, or a shape is wrong.
    """
    points = as_points(x, network.n_inputs)
    if weights.shape != (network.n_qubits,):
        raise InvalidValueError(
            f"weights must have the shape ({network.n_qubits},), but got {weights.shape}"
        )
    if isinstance(network, Logistic):
        logits, slopes = _linear(weights, points)
    elif isinstance(network, MLP):
        logits, slopes = _hidden(network, weights, points)
    else:
        raise InvalidValueError(f"there is no gradient for networks of the kind {network.kind}")
    # ln(1 + e^z) − y z, without overflow.
    loss = float(np.mean(np.logaddexp(0.0, logits) - y * logits))
    # Not a matrix product: BLAS adds in an order of its own.
    return loss, np.einsum("p,pw->w", (_sigmoid(logits) - y) / len(y), slopes)


def _linear(weights: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The logits, shape ``(n,)``, and their derivatives by the weights, shape ``(n, N)``."""
    slopes = np.column_stack([x, np.ones(len(x))])
    return np.einsum("pw,w->p", slopes, weights), slopes


def _hidden(network: MLP, weights: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    d, h = network.n_inputs, network.n_hidden
    into, out = weights[: d * h].reshape(d, h), weights[d * h : d * h + h]
    output_bias, bias, mix = weights[d * h + h], weights[d * h + h + 1 : -1], weights[-1]
    sums = np.einsum("pi,ij->pj", x, into) + bias
    smooth, rectified = _sigmoid(sums), np.maximum(sums, 0.0)
    one, other = (1.0 + mix) / 2.0, (1.0 - mix) / 2.0
    hidden = one * smooth + other * rectified
    logits = np.einsum("pj,j->p", hidden, out) + output_bias
    by_sum = out * (one * smooth * (1.0 - smooth) + other * (sums > 0))
    slopes = np.concatenate(
        [
            (x[:, :, None] * by_sum[:, None, :]).reshape(len(x), d * h),
            hidden,
            np.ones((len(x), 1)),
            by_sum,
            np.einsum("pj,j->p", (smooth - rectified) / 2.0, out)[:, None],
        ],
        axis=1,
    )
    return logits, slopes


def _sigmoid(z: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -700.0, None))))
