"""The signed-rank test against SciPy, against all signs, and with ties."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from qhn.reports.signed_rank import signed_rank

TIE = 1e-4


@pytest.mark.parametrize("count", [6, 20, 50, 80])
def test_without_ties_it_is_the_test_of_scipy(count):
    differences = np.random.default_rng(count).normal(0.01, 0.03, count)
    assert np.abs(differences).min() > 1e-6
    ours = signed_rank(list(differences), tie=1e-6)
    assert ours.p == stats.wilcoxon(differences).pvalue
    assert (ours.higher, ours.lower, ours.ties) == (
        (differences > 0).sum(),
        (differences < 0).sum(),
        0,
    )


def test_a_case_worked_out_by_hand():
    # The negative differences have the ranks 1 and 3, so that W = 4. Of the 2^6 sets of ranks those
    # with a sum of at most 4 are {}, 1, 2, 3, 4, 12 and 13: p = 2 · 7 / 64.
    found = signed_rank([0.02, -0.01, -0.03, 0.04, 0.05, 0.06], TIE)
    assert found.p == pytest.approx(14 / 64)
    assert (found.higher, found.lower, found.ties, found.direction) == (4, 2, 0, 1)


@pytest.mark.parametrize(
    "differences",
    [
        [0.1] * 5,
        [0.1, 0.1, -0.1, 0.2, 0.2, 0.3, 0.3],
        [0.01, 0.01, 0.02, -0.02, 0.03, 0.03, 0.03, -0.01, 0.05],
    ],
)
def test_repeated_sizes_give_the_share_of_all_signs(differences):
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    observed = abs(ranks[np.array(differences) > 0].sum() - centre)
    extreme = [
        abs(np.dot(ranks, signs) - centre) >= observed - 1e-9
        for signs in product((0, 1), repeat=len(ranks))
    ]
    assert signed_rank(differences, TIE).p == pytest.approx(np.mean(extreme))


def test_many_repeated_sizes_use_the_normal_approximation():
    differences = np.array([0.01, 0.02, 0.03, -0.01, -0.02] * 6)
    expected = stats.wilcoxon(differences, method="asymptotic").pvalue
    assert signed_rank(list(differences), TIE).p == pytest.approx(expected)


def test_ties_are_left_out():
    real = [0.02, -0.01, -0.03, 0.04, 0.05, 0.06]
    found = signed_rank([9e-5, *real, -1e-9, 0.0], TIE)
    assert found.p == signed_rank(real, TIE).p
    assert found.ties == 3


def test_a_difference_of_exactly_the_size_counts():
    assert signed_rank([TIE], TIE).higher == 1
    assert signed_rank([0.0], 0.0).ties == 1


def test_all_ties_are_no_evidence():
    found = signed_rank([1e-9] * 20, TIE)
    assert (found.p, found.ties, found.direction) == (1.0, 20, 0)


@pytest.mark.parametrize("differences", [[], [0.1, math.nan], [0.1, math.inf]])
def test_what_cannot_be_tested_has_no_p(differences):
    assert math.isnan(signed_rank(differences, TIE).p)
