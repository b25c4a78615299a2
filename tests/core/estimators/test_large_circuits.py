"""Training from samples above twenty qubits: by brute force on the samples, and without 2^N."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.bits import bits
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.limits import limits_of
from qhn.core.estimators.sampler import SampleKey
from qhn.core.estimators.shift import ShiftEstimator
from qhn.core.evaluation.problem import build_problem, build_task
from qhn.core.objectives.sampled import SampledObjective
from qhn.devices import make_device

N, SHOTS, BANDWIDTH, LAMBDA = 22, 60, 2.5, 40.0
TASK = build_task(make_dataset("moons", train=25, test=40, seed=2), networks.mlp(2, 5))
ANSATZ = Ansatz.brickwork(n_qubits=N, depth=1)
ANGLES = np.random.default_rng(4).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)


class Replayed:
    """Gives the samples that the exact engine drew before, so that they can be counted on."""

    def __init__(self, samples):
        self.samples = samples

    def sample(self, sets, shots, key):
        assert self.samples.shape == (len(sets), shots)
        return self.samples


@pytest.fixture(scope="module")
def samples():
    from qhn.core.estimators.shift import shifted_sets

    with make_device("exact", shots=SHOTS).open(ANSATZ) as handle:
        return handle.sample(shifted_sets(ANSATZ, ANGLES), SHOTS, SampleKey("", 1, 0))


def nll_by_hand(samples):
    """The loss of networks at one training point after the other."""
    logits = TASK.network.logits_of_bits(bits(samples.ravel(), N), TASK.dataset.x_train)
    signs = 1 - 2 * TASK.dataset.y_train
    return np.logaddexp(0, signs * logits).mean(axis=1).reshape(samples.shape)


def kernel_by_hand(rows, columns):
    distances = (bits(rows, N)[:, None, :] != bits(columns, N)[None]).sum(axis=2)
    return np.exp(-distances / (2 * BANDWIDTH**2))


def test_value_and_gradient_are_those_of_brute_force_and_take_no_memory(samples):
    found, peak = {}, {}
    for name in ("mle", "selbo"):
        tracemalloc.start()
        estimator = ShiftEstimator(
            problem=TASK,
            ansatz=ANSATZ,
            objective=SampledObjective.of(name, TASK, BANDWIDTH),
            sampler=Replayed(samples),
            shots=SHOTS,
            seed=1,
            best_of=16,
        )
        found[name] = estimator.evaluate(ANGLES, LAMBDA, 0)
        measured = estimator.measure(0)
        top = estimator.top_strings(3)
        peak[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # An array over all 2^22 outcomes has 32 MiB.
    assert max(peak.values()) < 24 * 2**20

    weight = LAMBDA / 25
    first, shifted = samples[0], samples[1:]
    kernel = kernel_by_hand(first, first)
    pairs = (kernel.sum() - SHOTS) / (SHOTS * (SHOTS - 1))
    mmd2 = pairs - ((1 + math.exp(-1 / (2 * BANDWIDTH**2))) / 2) ** N
    losses = nll_by_hand(samples)
    assert found["mle"].value == pytest.approx(losses[0].mean(), abs=1e-12)
    assert found["selbo"].value == pytest.approx(losses[0].mean() + weight * mmd2, abs=1e-12)
    assert measured["mmd2"] == pytest.approx(mmd2, abs=1e-12)
    for name, strength in (("mle", 0.0), ("selbo", weight)):
        observed = losses[1:].mean(axis=1)
        if strength:
            pull = [kernel_by_hand(row, first).mean() for row in shifted]
            observed = observed + 2 * strength * np.array(pull)
        up, down = observed.reshape(2, -1)
        gradient = found[name].gradient.ravel()
        np.testing.assert_allclose(gradient[:N], (up - down) / 2, atol=1e-12)
        assert (gradient[N:] == 0).all()

    logits = TASK.network.logits_of_bits(bits(first, N), TASK.dataset.x_test)
    right = (logits > 0) == (TASK.dataset.y_test == 1)
    assert measured["test_accuracy_expected"] == pytest.approx(right.mean())
    assert len(top) == 3 and all(len(string.bits) == N for string in top)


def test_limits_without_tables_are_close_to_those_with_them():
    data, family = make_dataset("moons", train=60, test=10, seed=0), networks.mlp(2, 2)
    ansatz = Ansatz.brickwork(n_qubits=10, depth=2)
    exact = limits_of(build_problem(data, family), ansatz)
    estimated = limits_of(build_task(data, family), ansatz)
    assert estimated.chance == pytest.approx(exact.chance, abs=0.03)
    assert estimated.prior_entropy == exact.prior_entropy
    # It is a bound, and one that is still of use.
    assert exact.gradient <= estimated.gradient < 3 * exact.gradient


@pytest.mark.parametrize("family", [networks.mlp(2, 2), networks.logistic(2)])
def test_no_network_has_a_larger_logit_than_is_said(family):
    x = np.random.default_rng(1).normal(size=(9, 2))
    logits = np.abs(family.logits(np.arange(2**family.n_qubits), x)).max(axis=0)
    assert (logits <= family.largest_logits(x) + 1e-12).all()
    assert (logits > 0.6 * family.largest_logits(x)).all()


def test_points_that_do_not_fit_the_network_are_refused():
    with pytest.raises(InvalidValueError, match="x must have the shape"):
        build_task(make_dataset("moons", train=5, test=5), networks.mlp(3, 1))
