"""Frames against circuits with the Paulis themselves, and how trajectories are grouped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import circuit, density

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising, Faults
from qhn.core.noise.frames import Frames, carry_faults, draw_frames

ansatzes = st.builds(
    Ansatz,
    n_qubits=st.integers(1, 4),
    depth=st.integers(1, 3),
    entangler=st.sampled_from(["brickwork", "chain", "ring"]),
    entanglers_first=st.booleans(),
)


def count_cnots(ansatz):
    return sum(len(ansatz.cnots(layer)) for layer in range(ansatz.depth))


def assert_right(ansatz, faults, seed=0):
    """Each trajectory has the distribution of the circuit with its Paulis between the gates."""
    angles = np.random.default_rng(seed).uniform(-7, 7, ansatz.parameter_shape)
    frames = carry_faults(ansatz, faults)
    outcomes = np.arange(2**ansatz.n_qubits)
    for t in range(len(frames)):
        rotations, cnots = faults.rotations[..., t], faults.cnots[..., t]
        expected = density.faulty_probabilities(ansatz, angles, rotations, cnots)
        without = circuit.probabilities(ansatz, frames.signs[t] * angles)
        np.testing.assert_allclose(without[outcomes ^ frames.masks[t]], expected, atol=1e-12)


@pytest.mark.parametrize("entanglers_first", [True, False])
@pytest.mark.parametrize("entangler", ["brickwork", "chain", "ring"])
def test_every_single_fault_is_carried_rightly(entangler, entanglers_first):
    ansatz = Ansatz(3, 2, entangler, entanglers_first)
    n_cnots = count_cnots(ansatz)
    total = 3 * ansatz.n_parameters + 15 * n_cnots
    rotations = np.zeros((ansatz.n_parameters, total), dtype=np.uint8)
    cnots = np.zeros((n_cnots, total), dtype=np.uint8)
    places = [(rotations, gate, pauli) for gate in range(len(rotations)) for pauli in (1, 2, 3)]
    places += [(cnots, gate, pauli) for gate in range(n_cnots) for pauli in range(1, 16)]
    for trajectory, (array, gate, pauli) in enumerate(places):
        array[gate, trajectory] = pauli
    assert_right(ansatz, Faults(rotations.reshape(*ansatz.parameter_shape, total), cnots))


@given(ansatz=ansatzes, seed=st.integers(0, 2**32 - 1))
def test_faults_after_all_gates_are_carried_rightly(ansatz, seed):
    rng = np.random.default_rng(seed)
    rotations = rng.integers(0, 4, (*ansatz.parameter_shape, 3), dtype=np.uint8)
    cnots = rng.integers(0, 16, (count_cnots(ansatz), 3), dtype=np.uint8)
    assert_right(ansatz, Faults(rotations, cnots), seed)


def test_frames_say_signs_and_masks():
    frames = draw_frames(
        Ansatz.ring(5, 3), Depolarising.from_number(0.2), 50, np.random.default_rng(0)
    )
    assert len(frames) == 50
    assert frames.signs.shape == (50, 3, 2, 5) and frames.signs.dtype == np.int8
    assert set(np.unique(frames.signs)) == {-1, 1}
    assert (frames.signs[:, -1, 1] == 1).all()
    assert frames.masks.shape == (50,) and 0 <= frames.masks.min() <= frames.masks.max() < 32


def test_without_noise_all_trajectories_are_one_group():
    frames = draw_frames(Ansatz.ring(5, 3), Depolarising(0.0, 0.0), 7, np.random.default_rng(0))
    (group,) = frames.groups
    assert (group.signs == 1).all()
    assert group.members.tolist() == list(range(7))
    assert (group.masks.tolist(), group.counts.tolist()) == ([0], [7])


def test_z_on_qubits_in_state_0_splits_no_group():
    ansatz = Ansatz.brickwork(3, 1)
    rotations = np.zeros((1, 2, 3, 2), dtype=np.uint8)
    frames = carry_faults(ansatz, Faults(rotations, np.array([[0, 5]], dtype=np.uint8)))
    assert len(frames.groups) == 1


@given(
    codes=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=30),
    wide=st.booleans(),
)
def test_groups_hold_each_trajectory_once(codes, wide):
    """Patterns of three flips in the last places of a row of few or of many bytes."""
    patterns, masks = np.array(codes).T
    signs = np.ones((len(codes), 1, 2, 20 if wide else 2), dtype=np.int8)
    signs.reshape(len(codes), -1)[:, -3:] -= 2 * (patterns[:, None] >> np.arange(3) & 1).astype(
        np.int8
    )
    groups = Frames(signs, masks).groups
    assert len(groups) == len(set(patterns))
    assert sorted(np.concatenate([group.members for group in groups])) == list(range(len(codes)))
    for group in groups:
        assert (signs[group.members] == group.signs).all()
        found = np.sort(masks[group.members])
        assert np.repeat(group.masks, group.counts).tolist() == found.tolist()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True])
def test_a_number_of_trajectories_is_a_whole_one(wrong):
    with pytest.raises(InvalidValueError, match="trajectories"):
        draw_frames(Ansatz.ring(3, 1), Depolarising(0.1, 0.1), wrong, np.random.default_rng(0))
