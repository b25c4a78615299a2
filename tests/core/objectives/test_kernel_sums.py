"""Sums of kernels: everything that is linear in the kernel is the sum of its parts."""

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError
from qhn.core.objectives.kernels import kernel_apply, mmd2
from qhn.core.objectives.objective import Objective

WIDTHS = (0.8, 2.0, 5.0)


def drawn(n_qubits):
    rng = np.random.default_rng(n_qubits)
    return rng.dirichlet(np.full(2**n_qubits, 0.3)), rng.random(2**n_qubits), rng


@pytest.mark.parametrize("n_qubits", [3, 8])
def test_products_and_discrepancies_add_up(n_qubits):
    q, _, _ = drawn(n_qubits)
    parts = [kernel_apply(q, h, np.empty_like(q)) for h in WIDTHS]
    assert kernel_apply(q, WIDTHS, np.empty_like(q)) == pytest.approx(sum(parts))
    assert mmd2(q, WIDTHS) == pytest.approx(sum(mmd2(q, h) for h in WIDTHS))
    place = q.copy()
    assert kernel_apply(place, WIDTHS, place) == pytest.approx(sum(parts))


@pytest.mark.parametrize("n_qubits", [3, 8])
@pytest.mark.parametrize("samples", [None, 6])
def test_value_and_derivatives_of_selbo_add_up(n_qubits, samples):
    q, nll, rng = drawn(n_qubits)
    prior = None if samples is None else rng.integers(2**n_qubits, size=samples)
    single = [Objective("selbo", nll, 10, h, samples) for h in WIDTHS]
    parts = [one.value_and_observable(q, 3.0, prior) for one in single]
    several = Objective("selbo", nll, 10, WIDTHS, samples)
    value, derivatives = several.value_and_observable(q, 3.0, prior)
    assert value == pytest.approx(sum(p[0] for p in parts) - 2 * (q @ nll))
    assert derivatives == pytest.approx(sum(p[1] for p in parts) - 2 * nll)
    assert several.terms(q).mmd2 == pytest.approx(mmd2(q, WIDTHS))


def test_a_sum_of_one_kernel_is_that_kernel():
    q, nll, _ = drawn(6)
    one, same = (Objective("selbo", nll, 10, h) for h in (2.0, (2.0,)))
    assert one.bandwidth == same.bandwidth == 2.0
    assert one.value_and_observable(q, 1.0)[0] == same.value_and_observable(q, 1.0)[0]


@pytest.mark.parametrize("h", [(), (1.0, 0.0), (1.0, float("inf"))])
def test_bandwidths_out_of_range_are_refused(h):
    with pytest.raises(InvalidValueError, match=r"bandwidth|h > 0"):
        Objective("selbo", np.zeros(8), 10, h)
