"""Binary networks: every weight is −1 or +1, so a string of N measured bits is a whole network.

A network reads the bits σ of a basis-state index as weights w = 2σ − 1 (see `qhn.core.bits`). It
gives a logit for each input, and predicts label 1 if the logit is positive. The order of weights
within a bit string (the layout) is that of the published code of arXiv 2301.08292.
"""

from __future__ import annotations

from qhn.core.networks.family import BinaryNetwork, Classes, IndexArray, LogitFunction
from qhn.core.networks.hidden import MLP
from qhn.core.networks.linear import Logistic

__all__ = [
    "MLP",
    "BinaryNetwork",
    "Classes",
    "IndexArray",
    "Logistic",
    "LogitFunction",
    "logistic",
    "mlp",
]


def logistic(n_inputs: int) -> Logistic:
    """The family of binary logistic regressions on ``n_inputs`` features, with N = n_inputs + 1.

    Example:
        >>> logistic(16).n_qubits
        17
    """
    return Logistic(n_inputs)


def mlp(n_inputs: int, n_hidden: int) -> MLP:
    """The family of binary networks with one hidden layer.

    N = n_inputs · n_hidden + 2 · n_hidden + 2.

    Example:
        >>> mlp(n_inputs=2, n_hidden=3).n_qubits
        14
    """
    return MLP(n_inputs, n_hidden)
