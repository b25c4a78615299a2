"""Loss and accuracy of given bit strings, without a table of all 2^N networks.

A device that samples gives only a few strings, and a table of all networks no longer fits into
memory for much more than twenty bits. Loss and accuracy are defined as in `loss_table`; a tie
gives label 0.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from qhn.core.arrays import BitArray
from qhn.core.evaluation.loss_table import Scores, check_points, score_blocks
from qhn.core.networks import BinaryNetwork

# How many numbers one block has. With its temporaries it takes a few MiB, however many strings
# there are.
_BLOCK_ELEMENTS = 2**16


def score_strings(network: BinaryNetwork, bits: BitArray, x: ArrayLike, y: ArrayLike) -> Scores:
    """The mean negative log-likelihood and the accuracy of each string, for any N.

    Up to rounding they equal the numbers of `loss_table` and `build_problem`.

    Args:
        network: the family of networks, from `qhn.core.networks`.
        bits: outcomes σ, shape ``(S, N)``, with the values 0 and 1. Column i is qubit i. S may be
            0.
        x: inputs, shape ``(n, d)``.
        y: labels 0 or 1, shape ``(n,)``.

    Raises:
        InvalidValueError: as `loss_table`, and if ``bits`` has another shape or other values.

    Example:
        >>> from qhn.core import networks
        >>> scores = score_strings(networks.logistic(1), np.array([[1, 1]]), [[2.0]], [1])
        >>> scores.nll.round(3).tolist(), scores.accuracy.tolist()
        ([0.049], [1.0])
    """
    points, labels = check_points(network, x, y)
    rows = max(1, _BLOCK_ELEMENTS // max(len(points), network.n_qubits))
    return score_blocks(
        lambda block: network.logits_of_bits(bits[block], points), len(bits), rows, labels
    )
