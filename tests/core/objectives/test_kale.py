"""KALE against its definition, its limits and finite differences."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from qhn.core.bits import all_bits
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.kale import kale
from qhn.core.objectives.kernels import mmd2
from qhn.core.objectives.objective import Objective

N = 8


def drawn(seed, n=N, concentration=0.1):
    return np.random.default_rng(seed).dirichlet(np.full(2**n, concentration))


def gram(n, h):
    strings = all_bits(n).astype(float)
    squares = ((strings[:, None] - strings[None]) ** 2).sum(axis=2)
    return sum(np.exp(-squares / (2 * one * one)) for one in (h if isinstance(h, tuple) else (h,)))


def by_definition(q, h, alpha):
    """The maximum over h = K a, found by a general method from SciPy."""
    k = gram(int(math.log2(len(q))), h)
    # With the Cholesky factor L of K and h = L b, the norm of h is that of b.
    factor = np.linalg.cholesky(k + 1e-12 * np.eye(len(q)))
    u = 1 / len(q)

    def negative(b):
        h_ = factor @ b
        e = u * np.exp(h_)
        value = 1 + q @ h_ - e.sum() - alpha / 2 * b @ b
        return -value, -(factor.T @ (q - e) - alpha * b)

    found = minimize(
        negative,
        np.zeros(len(q)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10},
    )
    return -(1 + alpha) * found.fun


@pytest.mark.parametrize("alpha", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("h", [1.0, N / 4, (1.0, 3.0)])
def test_it_agrees_with_its_definition_on_eight_qubits(alpha, h):
    q = drawn(3)
    assert kale(q, h, alpha)[0] == pytest.approx(by_definition(q, h, alpha), rel=1e-6)


def test_a_point_mass_is_no_difficulty():
    q = np.zeros(2**N)
    q[17] = 1.0
    for alpha in (0.01, 1.0):
        assert kale(q, 1.0, alpha)[0] == pytest.approx(by_definition(q, 1.0, alpha), rel=1e-6)


def test_a_weak_regularisation_gives_kl_and_a_strong_one_half_of_mmd():
    q = drawn(4, concentration=5.0)
    kl = float(q @ np.log(q * len(q)))
    values = np.array([kale(q, 0.3, alpha)[0] for alpha in (1e-2, 1e-4, 1e-6)])
    errors = np.abs(values - kl)
    assert (np.diff(errors) < 0).all() and errors[-1] < 1e-3 * kl
    for alpha in (1e6, 1e12):
        for h in (2.0, (2.0, 5.0)):
            assert kale(q, h, alpha)[0] == pytest.approx(mmd2(q, h) / 2, rel=1e-4)


def test_the_derivatives_are_those_of_the_value():
    q, h, alpha = drawn(5, concentration=1.0), 1.5, 0.1
    _, derivatives = kale(q, h, alpha)
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.standard_normal(len(q))
        direction -= direction.mean()
        e = 1e-7
        slope = (kale(q + e * direction, h, alpha)[0] - kale(q - e * direction, h, alpha)[0]) / (
            2 * e
        )
        assert slope == pytest.approx(derivatives @ direction, rel=1e-4)


@pytest.mark.parametrize("alpha", [1e-3, 1e-4])
def test_a_weak_regularisation_with_a_wide_kernel_is_solved_as_well(alpha):
    # The value lies between those for more and for less regularisation, and below KL.
    q = drawn(9, concentration=1.0)
    kl = float(q @ np.log(q * len(q)))
    found = [kale(q, N / 4, a)[0] / (1 + a) for a in (alpha / 2, alpha, 2 * alpha)]
    assert kl > found[0] > found[1] > found[2] > 0
    _, derivatives = kale(q, N / 4, alpha)
    # At the solution h is K(q − v)/α with v = u·exp(h).
    h = derivatives / (1 + alpha)
    v = np.exp(h) / len(q)
    residual = h - gram(N, N / 4) @ (q - v) / alpha
    assert np.sqrt(v @ residual**2) < 1e-6 * np.sqrt(v @ h**2)


def test_the_prior_itself_has_none_and_everything_else_some():
    value, derivatives = kale(np.full(2**N, 2.0**-N), 2.0, 0.1)
    assert value == pytest.approx(0.0, abs=1e-15)
    assert derivatives == pytest.approx(0.0, abs=1e-12)
    assert kale(drawn(6), 2.0, 0.1)[0] > 0


def test_the_objective_is_the_loss_and_the_weighted_divergence():
    q, nll = drawn(7), np.random.default_rng(8).random(2**N)
    objective = Objective("kale", nll, 10, 1.5, regularisation=0.2)
    value, observable = objective.value_and_observable(q, 3.0)
    divergence, derivatives = kale(q, 1.5, 0.2)
    assert value == pytest.approx(q @ nll + 0.3 * divergence)
    assert observable == pytest.approx(nll + 0.3 * derivatives)
    assert objective.terms(q).kale == pytest.approx(divergence)
    assert Objective("mle", nll, 10).terms(q).kale is None


def test_what_is_out_of_range_is_refused():
    for alpha in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidValueError, match="regularisation > 0"):
            kale(drawn(1), 2.0, alpha)
    with pytest.raises(InvalidValueError, match="h > 0"):
        kale(drawn(1), 0.0, 1.0)
    with pytest.raises(InvalidValueError, match="kale needs a regularisation"):
        Objective("kale", np.zeros(4), 1)
    assert math.isnan(kale(np.full(4, np.nan), 1.0, 1.0)[0])
