"""The Wilcoxon signed-rank test of paired differences, with differences too small to count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qhn.core.arrays import FloatArray

#: With at most as many differences that count, the p value is exact also where some of them have
#: the same size: it is the share of all 2^n ways to choose their signs.
EXACT_UP_TO = 13


@dataclass(frozen=True)
class SignedRank:
    """The outcome of the test.

    Attributes:
        p: the two-sided p value; 1 if all differences are ties, NaN if a difference is not finite
            or there is none.
        higher: how many differences are above 0 and no ties.
        lower: how many are below 0 and no ties.
        ties: how many are too small to count.
        direction: 1 if the ranks of the positive differences have the larger sum, −1 if those of
            the negative ones have it, and 0 if the sums are equal.
    """

    p: float
    higher: int
    lower: int
    ties: int
    direction: Literal[-1, 0, 1]


def is_tie(differences: FloatArray, tie: float) -> NDArray[np.bool_]:
    """Which differences are smaller in size than ``tie``, or exactly 0."""
    return np.asarray((np.abs(differences) < tie) | (differences == 0))


def signed_rank(differences: Sequence[float], tie: float) -> SignedRank:
    """Test whether differences are distributed symmetrically around 0.

    Ties are left out, as Wilcoxon did. The p value is exact where SciPy has the exact distribution
    (up to 50 differences of different size), and for up to 13 differences in any case. Otherwise it
    comes from the normal approximation.

    Args:
        differences: one difference for each independent pair.
        tie: differences of a smaller size count as ties.

    Example:
        >>> signed_rank([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], tie=1e-4).p
        0.03125
    """
    array = np.asarray(differences, dtype=np.float64)
    if not len(array) or not np.isfinite(array).all():
        return SignedRank(math.nan, 0, 0, 0, 0)
    counted = array[~is_tie(array, tie)]
    ties = len(array) - len(counted)
    if not len(counted):
        return SignedRank(1.0, 0, 0, ties, 0)
    higher = int((counted > 0).sum())
    return SignedRank(
        p=_p(counted),
        higher=higher,
        lower=len(counted) - higher,
        ties=ties,
        direction=_direction(counted),
    )


def _p(counted: FloatArray) -> float:
    repeated = len(np.unique(np.abs(counted))) < len(counted)
    if repeated and len(counted) <= EXACT_UP_TO:
        # Asked for explicitly, because the normal approximation is too sure here: for five
        # differences of the same size and sign it gives p = 0.025, where 0.0625 is the smallest p
        # value that is possible. With this many resamples SciPy goes through all signs, so that no
        # random number is drawn.
        every_sign = stats.PermutationMethod(n_resamples=2 ** len(counted))
        return float(stats.wilcoxon(counted, method=every_sign).pvalue)
    return float(stats.wilcoxon(counted).pvalue)


def _direction(counted: FloatArray) -> Literal[-1, 0, 1]:
    ranks = stats.rankdata(np.abs(counted))
    balance = float((np.sign(counted) * ranks).sum())
    return 1 if balance > 0 else -1 if balance < 0 else 0
