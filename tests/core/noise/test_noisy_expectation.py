"""The public function: its numbers, its seed, and what it refuses."""

import numpy as np
import pytest
from oracles import density

import qhn

ANSATZ = qhn.Ansatz.brickwork(n_qubits=4, depth=2)
ANGLES = np.random.default_rng(0).uniform(-7, 7, ANSATZ.parameter_shape)
OBSERVABLE = np.random.default_rng(1).normal(size=16)


def noisy(**changes):
    arguments = {"p1": 0.02, "p2": 0.06, "trajectories": 500, "seed": 0} | changes
    observable = arguments.pop("observable", OBSERVABLE)
    return qhn.noisy_expectation(ANSATZ, ANGLES, observable, **arguments)


def test_the_mean_over_seeds_is_that_of_the_density_matrix():
    exact = OBSERVABLE @ density.probabilities(ANSATZ, ANGLES, 0.02, 0.06)
    found = [noisy(seed=seed) for seed in range(100)]
    z = np.array([(mean - exact) / standard_error for mean, standard_error in found])
    assert np.abs(z).max() < 5 and abs(z.mean()) < 0.4
    assert 0.7 < np.mean(z**2) < 1.4
    # Each strength acts after its own gates.
    for p1, p2 in ((0.3, 0.0), (0.0, 0.3)):
        exact = OBSERVABLE @ density.probabilities(ANSATZ, ANGLES, p1, p2)
        mean, standard_error = noisy(p1=p1, p2=p2, trajectories=10_000)
        assert abs(mean - exact) < 4 * standard_error < 0.05


def test_without_noise_it_is_exact():
    q = qhn.probabilities(ANSATZ, ANGLES)
    expected = (float(np.einsum("i,i->", q, OBSERVABLE)), 0.0)
    assert noisy(p1=0, p2=0, trajectories=7) == expected
    assert noisy(p1=0.0, p2=0.0, seed=5) == expected


def test_a_seed_gives_the_same_numbers_again():
    assert noisy(seed=3) == noisy(seed=3)
    assert noisy(seed=3) != noisy(seed=4)
    assert type(noisy().mean) is float and type(noisy().standard_error) is float


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p1": 1.01}, "p1.*between 0 and 1, but got p1=1.01"),
        ({"p2": -0.1}, "p2.*between 0 and 1, but got p2=-0.1"),
        ({"trajectories": 1}, "trajectories >= 2"),
        ({"trajectories": 10.0}, "trajectories must be a whole number"),
        ({"seed": -1}, "seed >= 0"),
        ({"observable": np.zeros(8)}, r"\(2\^N,\) = \(16,\), but got \(8,\)"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(qhn.InvalidValueError, match=message):
        noisy(**changes)
