"""Objectives from samples: without bias, and the same whether strings are tabled or compared."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core.bits import all_bits
from qhn.core.errors import InvalidValueError
from qhn.core.objectives import sampled
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


def test_strings_of_forty_bits_are_compared():
    objective = SampledObjective("selbo", 40, 30, 2.0)
    mean = objective.kernel_mean(np.array([0, 2**40 - 1]), np.array([0.5, 0.5]))
    assert mean.at(np.array([0])) == pytest.approx(0.5 * (1 + np.exp(-40 / 8)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("elbo", 6, 30), "must be mle or selbo, but got elbo"),
        (("selbo", 6, 30, 0.0), "`h > 0`"),
        (("selbo", 6, 30, 1.0, 1), "`prior_samples >= 2`"),
        (("mle", 6, 0), "`n_points >= 1`"),
    ],
)
def test_what_cannot_be_estimated_is_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        SampledObjective(*arguments)
