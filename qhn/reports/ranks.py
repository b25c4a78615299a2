"""Average ranks of several groups over several data sets (Demšar 2006)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.reports.comparison import DEFAULT_ALPHA, DEFAULT_TIE
from qhn.reports.signed_rank import is_tie


@dataclass(frozen=True)
class AverageRanks:
    """The ranks of groups, averaged over data sets. The best group of a data set has rank 1.

    Attributes:
        ranks: the average rank of each group, shape (groups,).
        p: the p value of the Friedman test that all groups are alike, by the χ² distribution; NaN
            for two groups, for which the test is not defined.
        critical_difference: two groups differ at the level of the test, by that of Nemenyi, if
            their average ranks differ by at least this much.
    """

    ranks: FloatArray
    p: float
    critical_difference: float


def average_ranks(
    scores: FloatArray, *, tie: float = DEFAULT_TIE, alpha: float = DEFAULT_ALPHA
) -> AverageRanks:
    """Rank groups on each data set by their scores, higher being better.

    The rank of a group is one more than the number of groups that are better by at least the size
    of a tie, plus one half for each group that ties with it. Without near ties these are the usual
    midranks.

    Args:
        scores: one score for each data set and group, shape (data sets, groups).
        tie: differences of a smaller size count as ties.
        alpha: the level of the critical difference.

    Raises:
        InvalidValueError: if there are fewer than two groups or data sets, or if a score is not
            finite.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2 or min(array.shape) < 2 or not np.isfinite(array).all():
        raise InvalidValueError(
            "average ranks need finite scores of at least two groups on at least two data sets, "
            f"but got an array of shape {array.shape}; add data sets or leave the ranks out"
        )
    ranks = _ranks(array, tie)
    sets, groups = array.shape
    spread = stats.studentized_range.ppf(1 - alpha, groups, math.inf) / math.sqrt(2)
    return AverageRanks(
        ranks=ranks.mean(axis=0),
        p=_friedman(ranks),
        critical_difference=float(spread * math.sqrt(groups * (groups + 1) / (6 * sets))),
    )


def _ranks(scores: FloatArray, tie: float) -> FloatArray:
    differences = scores[:, None, :] - scores[:, :, None]
    # Each group ties with itself, which adds one half to its rank.
    return np.asarray(np.where(is_tie(differences, tie), 0.5, differences > 0).sum(axis=2) + 0.5)


def _friedman(ranks: FloatArray) -> float:
    if ranks.shape[1] < 3:
        return math.nan
    if (ranks == ranks[:, :1]).all():
        # SciPy would divide 0 by 0.
        return 1.0
    return float(stats.friedmanchisquare(*ranks.T).pvalue)
