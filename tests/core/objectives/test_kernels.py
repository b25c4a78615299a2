"""The Gaussian kernel on bits against the sum over all pairs of strings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.bits import all_bits
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.bandwidth import bandwidth
from qhn.core.objectives.kernels import correlation, kernel_apply, mmd2


def kernel_matrix(n_qubits: int, h: float) -> np.ndarray:
    """k(σ, σ') of all pairs, straight from its definition."""
    sigma = all_bits(n_qubits).astype(float)
    squared = ((sigma[:, None, :] - sigma[None, :, :]) ** 2).sum(axis=-1)
    return np.exp(-squared / (2 * h**2))


@settings(max_examples=25)
@given(n_qubits=st.integers(1, 8), h=st.floats(0.2, 20.0), seed=st.integers(0, 1000))
def test_kernel_product_is_the_sum_over_pairs(n_qubits: int, h: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=2**n_qubits)
    expected = kernel_matrix(n_qubits, h) @ x
    out = np.empty_like(x)
    assert kernel_apply(x, h, out) is out
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12 * np.abs(x).sum())


def test_kernel_product_in_place_and_on_larger_registers() -> None:
    x = np.random.default_rng(0).normal(size=2**13)
    expected = x.copy()
    c = correlation(3.5)
    for axis in range(13):
        shaped = expected.reshape(2**axis, 2, -1)
        expected = (shaped + c * shaped[:, ::-1]).reshape(-1)
    kernel_apply(x, 3.5, x)
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("h", [0.5, 2.0, bandwidth("sqrt(n)", 8), 10.0])
def test_mmd2_is_its_definition_at_eight_qubits(h: float) -> None:
    q = np.random.default_rng(1).dirichlet(np.ones(256))
    matrix = kernel_matrix(8, h)
    u = np.full(256, 1 / 256)
    expected = q @ matrix @ q - 2 * q @ matrix @ u + u @ matrix @ u
    assert mmd2(q, h) == pytest.approx(expected, rel=1e-10)


def test_mmd2_is_accurate_next_to_the_uniform_distribution() -> None:
    n_qubits, h, tilt = 8, 2.0, 1e-9
    # q − u is ± tilt/2^N by the first bit, an eigenvector of K with the eigenvalue below.
    signs = 1.0 - 2.0 * all_bits(n_qubits)[:, 0]
    c = correlation(h)
    eigenvalue = (1 - c) * (1 + c) ** (n_qubits - 1)
    q = (1 + tilt * signs) / 256
    assert mmd2(q, h) == pytest.approx(eigenvalue * tilt**2 / 256, rel=1e-6)
    assert mmd2(np.full(256, 1 / 256), h) == 0.0


def test_point_mass_has_the_closed_form() -> None:
    q = np.zeros(2**10)
    q[37] = 1.0
    c = correlation(2.5)
    assert mmd2(q, 2.5) == pytest.approx(1 - ((1 + c) / 2) ** 10, rel=1e-13)


@pytest.mark.parametrize("h", [0.0, -1.0, math.nan, math.inf])
def test_bandwidth_must_be_positive_and_finite(h: float) -> None:
    with pytest.raises(InvalidValueError, match="h > 0"):
        mmd2(np.full(4, 0.25), h)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"\(2\^N,\), but got \(96,\)"):
        kernel_apply(np.zeros(96), 1.0, np.zeros(96))
    for out in (np.zeros(64), np.zeros(128, dtype=np.float32), np.zeros(256)[::2]):
        with pytest.raises(InvalidValueError, match="out must be contiguous float64"):
            kernel_apply(np.zeros(128), 1.0, out)


@pytest.mark.parametrize("h", [5e-324, 1e-200, 1e-160, 0.01])
def test_a_tiny_bandwidth_compares_equal_strings_only(h: float) -> None:
    assert correlation(h) == 0.0
    q = np.random.default_rng(0).dirichlet(np.ones(64))
    assert mmd2(q, h) == pytest.approx(((q - 1 / 64) ** 2).sum(), rel=1e-12)


def test_a_huge_bandwidth_sees_no_difference() -> None:
    assert correlation(1.7e308) == 1.0
