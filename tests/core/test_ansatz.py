"""Circuits written out gate by gate: what the published pattern is, whatever the code says."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import probabilities
from qhn.core.errors import InvalidValueError

qml = pytest.importorskip("pennylane")


@pytest.mark.parametrize(
    ("n_qubits", "odd", "even"),
    [
        (1, (), ()),
        (2, (), ((0, 1),)),
        (4, ((1, 2),), ((0, 1), (2, 3))),
        (5, ((1, 2), (3, 4)), ((0, 1), (2, 3))),
        (
            17,
            ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
            ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15)),
        ),
    ],
)
def test_bricks_lie_on_other_pairs_in_odd_and_even_layers(n_qubits, odd, even):
    circuit = Ansatz.brickwork(n_qubits, 4)
    assert [circuit.cnots(layer) for layer in range(4)] == [odd, even, odd, even]


@pytest.mark.parametrize(
    ("n_qubits", "chain", "ring"),
    [
        (1, (), ()),
        (2, ((0, 1),), ((0, 1),)),
        (3, ((0, 1), (1, 2)), ((0, 1), (1, 2), (2, 0))),
        (5, ((0, 1), (1, 2), (2, 3), (3, 4)), ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))),
    ],
)
def test_chains_and_rings_are_the_same_in_every_layer(n_qubits, chain, ring):
    for layer in range(3):
        assert Ansatz.chain(n_qubits, 3).cnots(layer) == chain
        assert Ansatz.ring(n_qubits, 3).cnots(layer) == ring


def test_entanglers_come_first_in_the_published_circuit_alone():
    assert Ansatz.brickwork(4, 1).entanglers_first
    assert not Ansatz.chain(4, 1).entanglers_first
    assert not Ansatz.ring(4, 1).entanglers_first


def test_the_published_circuit_gate_by_gate():
    theta = np.random.default_rng(3).uniform(0, 2 * np.pi, (3, 2, 5))

    @qml.qnode(qml.device("default.qubit", wires=5))
    def published():
        qml.CNOT([1, 2])
        qml.CNOT([3, 4])
        for qubit in range(5):
            qml.RY(theta[0, 0, qubit], qubit)
            qml.RZ(theta[0, 1, qubit], qubit)
        qml.CNOT([0, 1])
        qml.CNOT([2, 3])
        for qubit in range(5):
            qml.RY(theta[1, 0, qubit], qubit)
            qml.RZ(theta[1, 1, qubit], qubit)
        qml.CNOT([1, 2])
        qml.CNOT([3, 4])
        for qubit in range(5):
            qml.RY(theta[2, 0, qubit], qubit)
            qml.RZ(theta[2, 1, qubit], qubit)
        return qml.probs(wires=range(5))

    q = probabilities(Ansatz.brickwork(n_qubits=5, depth=3), theta)
    np.testing.assert_allclose(q, published(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "`n_qubits >= 1` must hold, but got n_qubits=0"),
        ((1, 0), "`depth >= 1` must hold, but got depth=0"),
        ((2.5, 1), "n_qubits must be a whole number, but got n_qubits=2.5"),
        ((2, float("nan")), "depth must be a whole number"),
        ((2, True), "depth must be a whole number"),
        ((2, 1, "star"), "must be one of brickwork, chain, ring, but got 'star'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        Ansatz(*arguments)


def test_sizes_may_be_numpy_integers():
    assert Ansatz(np.int64(3), np.int32(2)).parameter_shape == (2, 2, 3)
