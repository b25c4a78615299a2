from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from qhn.core.errors import InvalidValueError
from qhn.core.objectives.bandwidth import bandwidth


def test_numbers_pass_through_as_floats():
    assert bandwidth(2, 14) == 2.0
    assert isinstance(bandwidth(2, 14), float)


def test_rules_in_the_number_of_qubits():
    assert bandwidth("n/4", 14) == 3.5
    assert bandwidth("sqrt(n)", 14) == math.sqrt(14)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 14, 17])
def test_median_rule_is_the_median_distance_of_uniform_strings(n_qubits):
    distance = binom(n_qubits, 0.5)
    h2 = bandwidth("median", n_qubits) ** 2
    # A median m of a distribution satisfies P(X <= m) >= 1/2 and P(X >= m) >= 1/2.
    assert distance.cdf(np.floor(h2 + 1e-9)) >= 0.5 - 1e-12
    assert distance.sf(np.ceil(h2 - 1e-9) - 1) >= 0.5 - 1e-12


@pytest.mark.parametrize("h", [0, -1.0, math.nan, math.inf, "n/3", ""])
def test_other_values_are_refused_with_the_rule(h):
    with pytest.raises(InvalidValueError, match="h"):
        bandwidth(h, 14)


def test_no_qubits_are_refused():
    with pytest.raises(InvalidValueError, match="n_qubits"):
        bandwidth("n/4", 0)
