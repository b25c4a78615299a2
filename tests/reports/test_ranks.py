"""Average ranks against the example of Demšar (2006), Table 6."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qhn.core.errors import InvalidValueError
from qhn.reports.ranks import average_ranks

# Areas under the curve of C4.5 and three variants of it on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        # Printed as 0.975 twice, but ranked one after the other.
        [0.972, 0.981, 0.9752, 0.9750],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_the_published_ranks_and_critical_difference():
    found = average_ranks(DEMSAR)
    assert found.ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    # 2.569 · sqrt(4 · 5 / (6 · 14)), printed as 1.25.
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert average_ranks(DEMSAR, alpha=0.10).critical_difference == pytest.approx(1.12, abs=0.005)


def test_the_friedman_test_is_that_of_scipy():
    assert average_ranks(DEMSAR).p == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).pvalue)


def test_near_ties_share_their_ranks():
    found = average_ranks(np.array([[0.5, 0.5 + 1e-9, 0.7], [0.5 + 1e-9, 0.5, 0.3]]))
    assert found.ranks.tolist() == [2.0, 2.0, 2.0]
    assert average_ranks(np.array([[0.5, 0.6], [0.8, 0.9]])).ranks.tolist() == [2.0, 1.0]


def test_groups_that_are_all_alike_are_no_evidence():
    assert average_ranks(np.full((5, 3), 0.5)).p == 1.0


def test_two_groups_have_no_friedman_test():
    assert math.isnan(average_ranks(DEMSAR[:, :2]).p)


@pytest.mark.parametrize("scores", [DEMSAR[:1], DEMSAR[:, :1], DEMSAR * math.nan, DEMSAR[0]])
def test_other_scores_are_refused(scores):
    with pytest.raises(InvalidValueError, match="at least two groups on at least two data sets"):
        average_ranks(scores)
