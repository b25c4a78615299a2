"""Loss and accuracy of given bit strings, without a table of all 2^N.

What a device samples is a handful of strings, and from some twenty bits on a table of all of them
does not fit. The rules are those of `loss_table`: the same loss, and label 0 on a tie.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from qhn.core.arrays import BitArray
from qhn.core.evaluation.loss_table import Scores, check_points, score_blocks
from qhn.core.networks import BinaryNetwork

# Numbers of one block: with its temporaries a few MiB, whatever the number of strings.
_BLOCK_ELEMENTS = 2**16


def score_strings(network: BinaryNetwork, bits: BitArray, x: ArrayLike, y: ArrayLike) -> Scores:
    """Mean negative log-likelihood and accuracy of each string.

    Equal to the numbers of `loss_table` and `build_problem` up to rounding, for any N.

    Args:
        network: the family, from `qhn.core.networks`.
        bits: outcomes σ, shape ``(S, N)``, 0 or 1; column i is qubit i. S may be 0.
        x: inputs, shape ``(n, d)``.
        y: labels 0 or 1, shape ``(n,)``.

    Raises:
        InvalidValueError: as `loss_table`, or if ``bits`` has another shape or other values.

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
