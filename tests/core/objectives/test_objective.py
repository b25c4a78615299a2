"""Objectives: their values against NumPy, their gradients against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.arrays import readonly
from qhn.core.data.datasets import make_dataset
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import build_problem
from qhn.core.objectives import divergences as compiled
from qhn.core.objectives import reference as plain
from qhn.core.objectives.kernels import mmd2
from qhn.core.objectives.objective import Objective

NAMES = ("mle", "elbo", "selbo")


def distribution(size: int, seed: int, concentration: float = 0.3) -> np.ndarray:
    q = np.random.default_rng(seed).dirichlet(np.full(size, concentration))
    q[0] = 0.0
    return q / q.sum()


@settings(max_examples=30)
@given(
    n_qubits=st.integers(6, 13),
    seed=st.integers(0, 1000),
    weight=st.floats(0, 10),
    c=st.floats(0.01, 0.99),
    samples=st.sampled_from([0, 2, 17]),
)
def test_compiled_passes_agree_with_numpy(
    n_qubits: int, seed: int, weight: float, c: float, samples: int
) -> None:
    rng = np.random.default_rng(seed)
    size = 2**n_qubits
    q, nll = distribution(size, seed), rng.random(size)
    prior = rng.integers(0, size, samples)
    inputs = readonly(q), readonly(nll)
    out, expected = np.empty(size), np.empty(size)

    assert compiled.expectation(*inputs) == pytest.approx(plain.expectation(q, nll), rel=1e-13)
    got = compiled.relative_entropy(*inputs, weight, out)
    assert got == pytest.approx(plain.relative_entropy(q, nll, weight, expected), rel=1e-12)
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-13)
    got = compiled.discrepancy(*inputs, prior, weight, c, out)
    oracle = plain.discrepancy(q, nll, prior, weight, c, expected)
    assert got == pytest.approx(oracle, rel=1e-10, abs=1e-14)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_qubits", [3, 6])
def test_sampled_discrepancy_is_the_mean_over_pairs(n_qubits: int) -> None:
    rng = np.random.default_rng(n_qubits)
    size, m, h = 2**n_qubits, 9, 1.3
    q, prior = distribution(size, 0), rng.integers(0, size, m)
    objective = Objective("selbo", np.zeros(size), 1, bandwidth=h, prior_samples=m)

    def kernel(s: np.ndarray, t: np.ndarray) -> np.ndarray:
        distances = np.bitwise_count(s[:, None] ^ t[None, :]).astype(float)
        return np.exp(-distances / (2 * h**2))

    every = np.arange(size)
    different = kernel(prior, prior)[~np.eye(m, dtype=bool)]
    expected = q @ kernel(every, every) @ q + different.mean()
    expected -= 2 * (q @ kernel(every, prior)).mean()
    value, _ = objective.value_and_observable(q, 1.0, prior)
    assert value == pytest.approx(expected, rel=1e-12)


def test_plain_lists_are_taken_as_arrays() -> None:
    objective = Objective("elbo", [0.0, 1.0], 1)  # type: ignore[arg-type]
    value, _ = objective.value_and_observable([0.5, 0.5], 3.0)  # type: ignore[arg-type]
    assert value == pytest.approx(0.5)
    assert mmd2([0.5, 0.5], 1.0) == 0.0  # type: ignore[arg-type]
    assert mmd2(np.array([1.0, 0.0], dtype=np.float32), 1.0) == mmd2(np.array([1.0, 0.0]), 1.0)


def test_logarithm_is_good_to_the_last_places() -> None:
    rng = np.random.default_rng(0)
    near_one = 1.0 + rng.normal(size=1024) * 10.0 ** rng.uniform(-16, -1, 1024)
    wide = 2.0 ** rng.uniform(-1021, 0, 3056)
    edges = np.array([1.0, 0.5, 2.0**-1022, math.sqrt(0.5), np.nextafter(math.sqrt(0.5), 0), 2.0])
    ratios = np.concatenate([near_one, wide, np.resize(edges, 16)])
    out = np.empty(ratios.size)
    compiled.relative_entropy(readonly(ratios / 4096), readonly(np.full(4096, -1.0)), 1.0, out)
    expected = np.log(ratios)
    assert (np.abs(out - expected) <= 4e-16 * np.maximum(np.abs(expected), 1.0)).all()


@pytest.mark.parametrize("n_qubits", [3, 7])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_through_the_circuit_is_that_of_finite_differences(
    name: str, n_qubits: int
) -> None:
    ansatz = Ansatz.chain(n_qubits, 2)
    rng = np.random.default_rng(n_qubits)
    objective = Objective(name, rng.random(2**n_qubits), 10, bandwidth=1.3)
    parameters = rng.uniform(0, 2 * np.pi, ansatz.parameter_shape)
    engine = Engine(ansatz)

    def value(at: np.ndarray) -> float:
        return objective.value_and_observable(engine.probabilities(at), 3.0)[0]

    _, observable = objective.value_and_observable(engine.probabilities(parameters), 3.0)
    gradient = engine.gradient(observable)
    step = 1e-5
    for index in np.ndindex(ansatz.parameter_shape):
        moved = np.zeros(ansatz.parameter_shape)
        moved[index] = step
        difference = (value(parameters + moved) - value(parameters - moved)) / (2 * step)
        assert gradient[index] == pytest.approx(difference, abs=2e-9)


def test_gradient_with_prior_samples_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    objective = Objective("selbo", rng.random(64), 10, bandwidth=2.0, prior_samples=16)
    prior = rng.integers(0, 64, 16)
    q, direction = distribution(64, 1, 1.0), rng.normal(size=64)
    direction -= direction.mean()
    step = 1e-6
    up, _ = objective.value_and_observable(q + step * direction, 5.0, prior)
    down, _ = objective.value_and_observable(q - step * direction, 5.0, prior)
    _, observable = objective.value_and_observable(q, 5.0, prior)
    assert observable @ direction == pytest.approx((up - down) / (2 * step), rel=1e-7)


def test_prior_sample_estimate_is_unbiased_within_its_standard_error() -> None:
    rng = np.random.default_rng(7)
    size, m, repeats = 256, 8, 4000
    nll, q = np.zeros(size), distribution(256, 2, 1.0)
    estimate = Objective("selbo", nll, 1, bandwidth=2.0, prior_samples=m)
    exact = Objective("selbo", nll, 1, bandwidth=2.0)
    values, observables = [], np.zeros(size)
    for _ in range(repeats):
        value, observable = estimate.value_and_observable(q, 1.0, rng.integers(0, size, m))
        values.append(value)
        observables += observable / repeats
    expected, expected_observable = exact.value_and_observable(q, 1.0)
    error = np.std(values, ddof=1) / math.sqrt(repeats)
    assert abs(np.mean(values) - expected) < 4 * error
    # The biased estimate, with its diagonal, would be off by far more than that error.
    assert (1 - mmd2_of_uniform_pairs(2.0)) / m > 20 * error
    shift = observables - expected_observable
    assert abs(shift @ q) < 0.02 * np.abs(expected_observable).max()


def mmd2_of_uniform_pairs(h: float) -> float:
    """E k(τ, τ') of two independent prior strings of eight bits."""
    return ((1 + math.exp(-0.5 / h**2)) / 2) ** 8


@pytest.mark.parametrize("n_qubits", [2, 8])
@pytest.mark.parametrize("name", NAMES)
def test_terms_are_exact_for_every_objective(name: str, n_qubits: int) -> None:
    size = 2**n_qubits
    q, nll = distribution(size, 5), np.random.default_rng(5).random(size)
    samples = 4 if name == "selbo" else None
    terms = Objective(name, nll, 10, prior_samples=samples).terms(q)
    positive = q[q > 0]
    entropy = -(positive * np.log(positive)).sum()
    assert terms.nll == pytest.approx(q @ nll)
    assert terms.entropy == pytest.approx(entropy)
    assert terms.kl == pytest.approx(n_qubits * math.log(2) - entropy)
    assert terms.mmd2 == pytest.approx(mmd2(q, n_qubits / 4))


def test_values_are_made_of_their_terms() -> None:
    q, nll = distribution(64, 9), np.random.default_rng(9).random(64)
    terms = Objective("mle", nll, 20, bandwidth=2.0).terms(q)
    for name, expected in (
        ("mle", terms.nll),
        ("elbo", terms.nll + 3.0 / 20 * terms.kl),
        ("selbo", terms.nll + 3.0 / 20 * terms.mmd2),
    ):
        value, _ = Objective(name, nll, 20, bandwidth=2.0).value_and_observable(q, 3.0)
        assert value == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("size", [4, 64])
def test_elbo_of_a_point_mass_is_finite(size: int) -> None:
    q = np.zeros(size)
    q[1] = 1.0
    objective = Objective("elbo", np.zeros(size), 1)
    value, observable = objective.value_and_observable(q, 1.0)
    assert value == pytest.approx(math.log(size))
    assert np.isfinite(observable).all()


def test_regularisers_vanish_on_the_prior() -> None:
    terms = Objective("elbo", np.zeros(128), 1).terms(np.full(128, 1 / 128))
    assert (terms.kl, terms.mmd2) == (0.0, 0.0)


def test_an_objective_of_a_problem_takes_table_and_number_of_points_from_it() -> None:
    data = make_dataset("moons", train=17, test=3)
    problem = build_problem(data, networks.logistic(2))
    q, prior = distribution(8, 1), np.arange(4)
    ours = Objective.of("selbo", problem, 1.5, 4)
    theirs = Objective("selbo", problem.nll, 17, 1.5, 4)
    assert ours.n_points == problem.n_train == 17
    values = [made.value_and_observable(q, 3.0, prior)[0] for made in (ours, theirs)]
    assert values[0] == values[1]


def test_table_is_not_copied() -> None:
    table = np.zeros(64)
    table.flags.writeable = False
    assert np.shares_memory(Objective("mle", table, 1).nll, table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "map"}, "one of mle, elbo, selbo"),
        ({"nll": np.zeros(3)}, r"\(2\^N,\)"),
        ({"nll": np.zeros((2, 2))}, r"\(2\^N,\)"),
        ({"n_points": 0}, "n_points >= 1"),
        ({"bandwidth": 0.0}, "h > 0"),
        ({"n_points": 1.5}, "n_points must be a whole number"),
        ({"prior_samples": 1}, "prior_samples >= 2"),
        ({"prior_samples": 2.5}, "prior_samples must be a whole number"),
    ],
)
def test_invalid_objectives_are_refused(arguments: dict[str, object], message: str) -> None:
    valid: dict[str, object] = {"name": "selbo", "nll": np.zeros(4), "n_points": 1}
    with pytest.raises(InvalidValueError, match=message):
        Objective(**(valid | arguments))  # type: ignore[arg-type]


def test_prior_strings_are_checked() -> None:
    objective = Objective("selbo", np.zeros(64), 1, prior_samples=4)
    q = np.full(64, 1 / 64)
    with pytest.raises(InvalidValueError, match="4 strings, but got none"):
        objective.value_and_observable(q, 1.0)
    with pytest.raises(InvalidValueError, match=r"the shape \(3,\)"):
        objective.value_and_observable(q, 1.0, np.zeros(3, dtype=np.int64))
    with pytest.raises(InvalidValueError, match="from 0 to 63"):
        objective.value_and_observable(q, 1.0, np.array([0, 1, 2, 64]))
    with pytest.raises(InvalidValueError, match="must hold integers, but got float64"):
        objective.value_and_observable(q, 1.0, np.array([0.0, 1.9, 2.0, math.nan]))


@pytest.mark.parametrize("size", [4, 64])
def test_distributions_of_another_size_are_refused(size: int) -> None:
    objective = Objective("elbo", np.zeros(size), 1)
    with pytest.raises(InvalidValueError, match=rf"\({size},\), but got \({size // 2},\)"):
        objective.value_and_observable(np.zeros(size // 2), 1.0)
    with pytest.raises(InvalidValueError, match="q must have the shape"):
        objective.terms(np.zeros(2 * size))
