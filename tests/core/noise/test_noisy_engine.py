"""Noisy samples, values and gradients against exact density matrices, of this suite and of Aer."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import circuit, density

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising
from qhn.core.noise.engine import NoisyEngine
from qhn.core.noise.frames import Frames, draw_frames

KINDS = [(e, first) for e in ("brickwork", "chain", "ring") for first in (True, False)]
STRONG = Depolarising(p1=0.02, p2=0.06)


def angles_of(ansatz, seed=0):
    return np.random.default_rng(seed).uniform(-7, 7, ansatz.parameter_shape)


def chi2(samples, expected):
    counts = np.bincount(samples, minlength=len(expected))
    return float(((counts - len(samples) * expected) ** 2 / (len(samples) * expected)).sum())


def chi2_per_degree(n_qubits, depth, shots, exact, noise=STRONG):
    """χ² over degrees of freedom of all kinds of circuits together."""
    total = 0.0
    for seed, (entangler, first) in enumerate(KINDS):
        ansatz = Ansatz(n_qubits, depth, entangler, first)
        angles, rng = angles_of(ansatz, seed), np.random.default_rng(100 + seed)
        frames = draw_frames(ansatz, noise, shots, rng)
        samples = NoisyEngine(ansatz).sample(angles, frames, rng)
        total += chi2(samples, exact(ansatz, angles))
    return total / (len(KINDS) * (2**n_qubits - 1))


@pytest.mark.parametrize(("n_qubits", "depth"), [(2, 3), (3, 2), (4, 2)])
def test_samples_follow_the_density_matrix(n_qubits, depth):
    def noisy(ansatz, angles):
        return density.probabilities(ansatz, angles, STRONG.p1, STRONG.p2)

    assert 0.5 < chi2_per_degree(n_qubits, depth, 100_000, noisy) < 1.5
    # The noise is so strong that a mistake in it would be seen.
    assert chi2_per_degree(n_qubits, depth, 100_000, circuit.probabilities) > 100


def aer_probabilities(ansatz, angles):
    """The noisy distribution by Qiskit Aer's simulator of density matrices."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    n_qubits = ansatz.n_qubits
    # Qiskit's qubit 0 is the lowest bit of an index.
    circuit_ = QuantumCircuit(n_qubits)
    for name, qubits, angle in circuit.gates(ansatz):
        at = [n_qubits - 1 - qubit for qubit in qubits]
        if angle is None:
            circuit_.cx(*at)
        else:
            getattr(circuit_, name)(angles[angle], *at)
    circuit_.save_probabilities()
    model = NoiseModel()
    # Its λ counts the identity among the Paulis.
    model.add_all_qubit_quantum_error(depolarizing_error(4 / 3 * STRONG.p1, 1), ["ry", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(16 / 15 * STRONG.p2, 2), ["cx"])
    simulator = AerSimulator(method="density_matrix", noise_model=model, fusion_enable=False)
    return simulator.run(circuit_, shots=1).result().data()["probabilities"]


@pytest.mark.parametrize("n_qubits", [5, 6])
def test_samples_follow_the_density_matrix_of_aer(n_qubits):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Qiskit's, about its own future
        assert 0.5 < chi2_per_degree(n_qubits, 2, 200_000, aer_probabilities) < 1.5
        ansatz = Ansatz.ring(n_qubits, 2)
        angles = angles_of(ansatz)
        ours = density.probabilities(ansatz, angles, STRONG.p1, STRONG.p2)
        np.testing.assert_allclose(ours, aer_probabilities(ansatz, angles), atol=1e-12)


def deviations(engine, ansatz, angles, observable, noise, rng):
    """(estimate − exact) / standard error, of the value and of each angle of a circuit."""
    frames = draw_frames(ansatz, noise, 400, rng)
    found = engine.gradient(angles, observable, frames, errors=True)
    value = observable @ density.probabilities(ansatz, angles, noise.p1, noise.p2)
    slope = density.gradient(ansatz, angles, observable, noise.p1, noise.p2)
    # Where no trajectory has another value than all others, the estimate is exact.
    certain = found.standard_errors < 1e-12
    assert np.abs(found.gradient - slope)[certain].max() < 1e-12
    by_angle = (found.gradient - slope)[~certain] / found.standard_errors[~certain]
    mean, standard_error = found.expectation
    return (mean - value) / standard_error, by_angle


def test_gradients_lie_within_their_standard_errors():
    of_values, of_angles = [], []
    for seed in range(4):
        for number, (entangler, first) in enumerate(KINDS):
            ansatz = Ansatz(2 + number % 3, 2, entangler, first)
            rng = np.random.default_rng(100 * seed + number)
            observable = rng.normal(size=2**ansatz.n_qubits)
            angles = angles_of(ansatz, 100 * seed + number)
            value, by_angle = deviations(
                NoisyEngine(ansatz), ansatz, angles, observable, STRONG, rng
            )
            of_values.append(value)
            of_angles.extend(by_angle)
    assert len(of_angles) > 200
    assert np.abs(of_angles).max() < 5 and np.abs(of_values).max() < 5
    assert 0.8 < np.mean(np.square(of_angles)) < 1.25


@pytest.mark.parametrize("trajectories", [1, 2, 3, 49])
@pytest.mark.parametrize(("entangler", "first"), KINDS)
def test_without_noise_all_numbers_are_the_engines_own(entangler, first, trajectories):
    ansatz = Ansatz(8, 3, entangler, first)
    angles, engine, noisy = angles_of(ansatz), Engine(ansatz), NoisyEngine(ansatz)
    rng = np.random.default_rng(0)
    observable = rng.normal(size=2**8)
    frames = draw_frames(ansatz, Depolarising(0.0, 0.0), trajectories, rng)
    q = engine.probabilities(angles)
    gradient = engine.gradient(observable)
    assert (noisy.probabilities(angles, frames) == q).all()
    for errors in (False, True):
        found = noisy.gradient(angles, observable, frames, errors=errors)
        assert (found.gradient == gradient).all()
        assert found.expectation == noisy.expectation(angles, observable, frames) or (
            trajectories == 1
        )
        assert found.expectation.mean == float(np.einsum("i,i->", q, observable))
        if errors and trajectories > 1:
            assert (found.standard_errors == 0).all() and found.expectation.standard_error == 0
    samples = noisy.sample(angles, frames, rng)
    assert samples.shape == (trajectories,) and (q[samples] > 0).all()


def test_one_trajectory_has_no_standard_error():
    ansatz = Ansatz.ring(3, 1)
    frames = draw_frames(ansatz, STRONG, 1, np.random.default_rng(0))
    found = NoisyEngine(ansatz).gradient(angles_of(ansatz), np.arange(8.0), frames, errors=True)
    assert np.isnan(found.expectation.standard_error)
    assert np.isnan(found.standard_errors).all() and found.standard_errors.shape == (1, 2, 3)


def test_full_depolarisation_leaves_the_uniform_distribution():
    full = Depolarising(p1=3 / 4, p2=15 / 16)

    def uniform(ansatz, angles):
        return np.full(2**ansatz.n_qubits, 2.0**-ansatz.n_qubits)

    assert 0.5 < chi2_per_degree(4, 1, 20_000, uniform, full) < 1.5
    # Each kind of noise alone is enough where it acts on every qubit last.
    for noise in (Depolarising(3 / 4, 0.0), Depolarising(0.0, 15 / 16)):
        ansatz = Ansatz.ring(4, 1)
        rng = np.random.default_rng(1)
        samples = NoisyEngine(ansatz).sample(
            np.zeros((1, 2, 4)), draw_frames(ansatz, noise, 40_000, rng), rng
        )
        assert chi2(samples, uniform(ansatz, None)) / 15 < 2


@settings(max_examples=30)
@given(
    entangler=st.sampled_from(["brickwork", "chain", "ring"]),
    first=st.booleans(),
    p=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_grouping_does_not_change_the_result(entangler, first, p, seed):
    """Grouped evaluation against one trajectory at a time, each with the plain engine."""
    ansatz = Ansatz(4, 2, entangler, first)
    angles, rng = angles_of(ansatz, seed), np.random.default_rng(100 + seed)
    observable = rng.normal(size=16)
    frames = draw_frames(ansatz, Depolarising.from_number(p), 20, rng)
    noisy, engine = NoisyEngine(ansatz), Engine(ansatz)
    outcomes = np.arange(16)
    distributions, values, gradients = [], [], []
    for signs, mask in zip(frames.signs, frames.masks, strict=True):
        q = engine.probabilities(signs * angles)
        distributions.append(q[outcomes ^ mask])
        values.append(q @ observable[outcomes ^ mask])
        gradients.append(signs * engine.gradient(observable[outcomes ^ mask]))
    close = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(
        noisy.probabilities(angles, frames), np.mean(distributions, axis=0), **close
    )
    mean, standard_error = noisy.expectation(angles, observable, frames)
    # Rounding leaves an error of about 1e-9 where all values are the same.
    assert mean == pytest.approx(np.mean(values), abs=1e-12)
    assert standard_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(20), abs=1e-8)
    found = noisy.gradient(angles, observable, frames, errors=True)
    np.testing.assert_allclose(found.gradient, np.mean(gradients, axis=0), **close)
    np.testing.assert_allclose(
        found.standard_errors, np.std(gradients, axis=0, ddof=1) / np.sqrt(20), atol=1e-8
    )
    quick = noisy.gradient(angles, observable, frames)
    np.testing.assert_allclose(quick.gradient, found.gradient, **close)
    assert quick.standard_errors is None and quick.expectation == found.expectation

    samples = noisy.sample(angles, frames, np.random.default_rng(1))
    uniform = np.random.default_rng(1).random(20)
    for trajectory, sample in enumerate(samples):
        # A trajectory by itself, with its own uniform number, has the same outcome.
        alone = Frames(frames.signs[[trajectory]], frames.masks[[trajectory]])
        given_ = FixedNumbers(uniform[[trajectory]])
        assert noisy.sample(angles, alone, given_) == [sample]
        assert distributions[trajectory][sample] > 0


class FixedNumbers:
    """A generator that gives the numbers that it was made with."""

    def __init__(self, numbers):
        self.numbers = numbers

    def random(self, count):
        assert count == len(self.numbers)
        return self.numbers


def test_outcomes_that_cannot_be_are_never_drawn():
    ansatz = Ansatz.brickwork(12, 1)
    engine, noisy = Engine(ansatz), NoisyEngine(ansatz)
    frames = draw_frames(ansatz, Depolarising(0.0, 0.0), 2, np.random.default_rng(0))
    # The least and the greatest number that a generator gives.
    ends = FixedNumbers(np.array([0.0, 1 - 2.0**-53]))
    for theta in (0.0, np.pi):
        # At π the probability of the first outcome is so small that it is rounded to 0.
        angles = np.full(ansatz.parameter_shape, theta)
        q = engine.probabilities(angles)
        assert (q == 0).sum() > 1
        assert (q[noisy.sample(angles, frames, ends)] > 0).all()


def test_arguments_that_do_not_fit_are_refused():
    ansatz = Ansatz.ring(3, 2)
    engine, rng = NoisyEngine(ansatz), np.random.default_rng(0)
    angles, observable = angles_of(ansatz), np.arange(8.0)
    frames = draw_frames(ansatz, STRONG, 4, rng)
    # An array of one layer would fit the signs by broadcasting.
    with pytest.raises(InvalidValueError, match=r"angles.*\(2, 2, 3\).*got \(1, 2, 3\)"):
        engine.expectation(angles[:1], observable, frames)
    with pytest.raises(InvalidValueError, match=r"observable.*\(8,\).*got \(4,\)"):
        engine.gradient(angles, observable[:4], frames)
    with pytest.raises(InvalidValueError, match=r"frames must be of this circuit.*got \(1, 2, 3\)"):
        engine.sample(angles, draw_frames(Ansatz.ring(3, 1), STRONG, 4, rng), rng)
    angles[0, 0, 0] = np.nan
    with pytest.raises(InvalidValueError, match="angles must be finite"):
        engine.sample(angles, frames, rng)
    assert np.isnan(engine.expectation(angles, observable, frames).mean)
