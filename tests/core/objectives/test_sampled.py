"""Objectives from samples: without bias, and the same whether strings are tabled or compared."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core.bits import all_bits
from qhn.core.errors import InvalidValueError
from qhn.core.objectives import sampled
from qhn.core.objectives.kale import kale
from qhn.core.objectives.kernels import mmd2
from qhn.core.objectives.objective import Objective
from qhn.core.objectives.sampled import SampledObjective

RNG = np.random.default_rng(4)
Q = RNG.dirichlet(np.full(64, 0.3))
PRIOR = RNG.integers(64, size=12)


@pytest.mark.parametrize("prior", [None, PRIOR])
@pytest.mark.parametrize(("shots", "h"), [(2, 1.5), (5, 1.5), (2, (1.5, 3.0))])
def test_mmd2_is_without_bias_also_from_few_samples(prior, shots, h):
    count = None if prior is None else len(prior)
    objective = SampledObjective("selbo", 6, 30, h, count)
    true, _ = Objective("selbo", np.zeros(64), 1, h, count).value_and_observable(Q, 1.0, prior)
    compared = objective.prior_mean(prior)
    samples = np.random.default_rng(1).choice(64, p=Q, size=(8000, shots))
    found = [objective.regulariser(objective.drawn(drawn), compared)[0] for drawn in samples]
    error = np.std(found) / len(found) ** 0.5
    # With the pairs of a sample with itself the mean would be off by (1 − E k)/S, more than 0.1.
    assert error < 0.01
    assert abs(np.mean(found) - true) < 4 * error


def test_the_influence_of_samples_is_the_derivative_of_mmd2():
    objective = SampledObjective("selbo", 6, 30, 1.5)
    samples = np.random.default_rng(2).choice(64, p=Q, size=200_000)
    _, observable = Objective("selbo", np.zeros(64), 1, 1.5).value_and_observable(Q, 1.0)
    _, pull = objective.regulariser(objective.drawn(samples), None)
    # Both are known up to a constant, which no derivative sees.
    found, expected = 2 * (pull - pull.mean()), observable[samples] - observable[samples].mean()
    assert np.abs(found - expected).max() < 0.02


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("h", [1.5, (0.7, 1.5, 4.0)])
def test_kernel_means_are_sums_over_strings(monkeypatch, signs, h):
    strings, asked = RNG.integers(64, size=50), RNG.integers(64, size=(3, 7))
    weights = RNG.standard_normal(50) if signs else np.full(50, 1 / 50)
    bits = all_bits(6).astype(float)
    distances = ((bits[asked][..., None, :] - bits[strings]) ** 2).sum(axis=-1)
    widths = h if isinstance(h, tuple) else (h,)
    expected = sum(np.exp(-distances / (2 * one**2)) @ weights for one in widths)
    objective = SampledObjective("selbo", 6, 30, h)
    assert objective.kernel_mean(strings, weights).at(asked) == pytest.approx(expected)
    # More qubits than fit into a table; a block holds two of the strings that are asked for.
    monkeypatch.setattr(sampled, "MAX_TABLE_QUBITS", 5)
    monkeypatch.setattr(sampled, "_BLOCK_PAIRS", 100)
    assert objective.kernel_mean(strings, weights).at(asked) == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.05, 1.0])
def test_kale_of_samples_comes_from_above_as_their_number_grows(alpha):
    objective = SampledObjective("kale", 6, 30, 1.5, None, alpha)
    exact, derivatives = kale(Q, 1.5, alpha)
    rng, excess = np.random.default_rng(3), []
    for shots in (25, 100, 400):
        values = [objective.pull(rng.choice(64, p=Q, size=shots), None).value for _ in range(200)]
        excess.append(np.mean(values) - exact)
        # KALE is convex in q, so that the mean over samples is not below its value at their mean.
        assert excess[-1] > -3 * np.std(values) / 200**0.5
    assert excess[0] > 2 * excess[1] > 4 * excess[2]
    samples = rng.choice(64, p=Q, size=200_000)
    pull = objective.pull(samples, None)
    assert pull.value == pytest.approx(exact, rel=0.02)
    assert 2 * pull.at(np.arange(64)) == pytest.approx(derivatives, abs=0.05)
    assert (pull.of_samples == pull.at(samples)).all() and pull.drawn is None


def test_kale_with_a_strong_regularisation_is_half_of_mmd():
    """Of the frequencies: with the pairs of a sample with itself."""
    samples = np.random.default_rng(5).integers(64, size=40)
    shares = np.bincount(samples, minlength=64) / 40
    found = SampledObjective("kale", 6, 30, 1.5, None, 1e8).pull(samples, None).value
    assert found == pytest.approx(mmd2(shares, 1.5) / 2, rel=1e-5)


def test_strings_of_forty_bits_are_compared():
    objective = SampledObjective("selbo", 40, 30, 2.0)
    mean = objective.kernel_mean(np.array([0, 2**40 - 1]), np.array([0.5, 0.5]))
    assert mean.at(np.array([0])) == pytest.approx(0.5 * (1 + np.exp(-40 / 8)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("elbo", 6, 30), "must be mle, selbo or kale, but got elbo"),
        (("kale", 6, 30), "kale needs a regularisation"),
        (("mle", 6, 30, 1.0, None, 0.5), "no other objective has one"),
        (("kale", 21, 30, 1.0, None, 0.5), "kale is enumerated on at most 20 qubits"),
        (("selbo", 6, 30, 0.0), "`h > 0`"),
        (("selbo", 6, 30, 1.0, 1), "`prior_samples >= 2`"),
        (("mle", 6, 0), "`n_points >= 1`"),
    ],
)
def test_what_cannot_be_estimated_is_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        SampledObjective(*arguments)
