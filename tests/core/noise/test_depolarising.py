"""Probabilities of errors, and how often each Pauli is drawn."""

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising, draw_faults

ANSATZ = Ansatz.ring(4, 2)


def drawn(p1, p2, trajectories=20_000):
    return draw_faults(ANSATZ, Depolarising(p1, p2), trajectories, np.random.default_rng(0))


def test_one_number_means_both():
    assert Depolarising.from_number(0.01) == Depolarising(p1=0.01, p2=0.01)


@pytest.mark.parametrize("wrong", [-0.001, 1.5, float("nan"), float("inf"), True, "0.1", None])
@pytest.mark.parametrize("name", ["p1", "p2"])
def test_what_is_no_probability_is_refused(name, wrong):
    with pytest.raises(InvalidValueError, match=f"between 0 and 1, but got {name}="):
        Depolarising(**{"p1": 0.0, "p2": 0.0, name: wrong})


def test_every_gate_has_faults_and_each_pauli_is_as_likely_as_the_others():
    rotations, cnots = drawn(0.3, 0.6)
    assert rotations.shape == (2, 2, 4, 20_000) and cnots.shape == (8, 20_000)
    # Five standard deviations of a share: 0.016 at 1 − p1, 0.011 at p1/3, and 0.007 at p2/15.
    for row in rotations.reshape(-1, 20_000):
        shares = np.bincount(row, minlength=4) / 20_000
        assert np.abs(shares - [0.7, 0.1, 0.1, 0.1]).max() < 0.017
        assert np.abs(shares[1:] - 0.1).max() < 0.011
    for row in cnots:
        shares = np.bincount(row, minlength=16) / 20_000
        assert len(shares) == 16
        assert np.abs(shares[1:] - 0.04).max() < 0.007


def test_gates_and_trajectories_are_independent():
    rotations, cnots = drawn(0.5, 0.5)
    hit = np.concatenate([rotations.reshape(-1, 20_000), cnots]) > 0
    correlations = np.corrcoef(hit) - np.eye(len(hit))
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)
    along = [np.corrcoef(row[1:], row[:-1])[0, 1] for row in hit]
    assert np.abs(along).max() < 5 / np.sqrt(20_000)


def test_no_error_and_always_an_error():
    rotations, cnots = drawn(0.0, 1.0, trajectories=1000)
    assert (rotations == 0).all()
    assert set(np.unique(cnots)) == set(range(1, 16))
    rotations, cnots = drawn(1.0, 0.0, trajectories=1000)
    assert set(np.unique(rotations)) == {1, 2, 3}
    assert (cnots == 0).all()
    # The smallest positive number: dividing by it must not fail.
    rotations, cnots = drawn(5e-324, 5e-324, trajectories=10)
    assert (rotations == 0).all() and (cnots == 0).all()
