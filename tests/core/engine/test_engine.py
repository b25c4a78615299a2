"""The engine against independent oracles: PennyLane, and the package's own NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import circuit as reference

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine, probabilities
from qhn.core.errors import InvalidValueError

qml = pytest.importorskip("pennylane")

SPECIAL = (0.0, np.pi, -np.pi, 2 * np.pi, -4 * np.pi, np.pi / 2)


def angles(shape: tuple[int, ...], seed: int, special: float) -> np.ndarray:
    """Uniform angles, a share of which are replaced by multiples of π."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-7, 7, shape)
    return np.where(rng.random(shape) < special, rng.choice(SPECIAL, shape), values)


def pennylane_circuit(ansatz: Ansatz, observable: np.ndarray | None):
    wires = range(ansatz.n_qubits)

    @qml.qnode(qml.device("default.qubit", wires=ansatz.n_qubits), diff_method="backprop")
    def circuit(parameters):
        for layer in range(ansatz.depth):
            if ansatz.entanglers_first:
                for pair in ansatz.cnots(layer):
                    qml.CNOT(pair)
            for qubit in wires:
                qml.RY(parameters[layer, 0, qubit], qubit)
                qml.RZ(parameters[layer, 1, qubit], qubit)
            if not ansatz.entanglers_first:
                for pair in ansatz.cnots(layer):
                    qml.CNOT(pair)
        return qml.probs(wires=wires)

    if observable is None:
        return circuit
    return lambda parameters: qml.math.sum(circuit(parameters) * observable)


ansatzes = st.builds(
    Ansatz,
    n_qubits=st.integers(1, 10),
    depth=st.integers(1, 4),
    entangler=st.sampled_from(["brickwork", "chain", "ring"]),
    entanglers_first=st.booleans(),
)


@settings(max_examples=40)
@given(ansatz=ansatzes, seed=st.integers(0, 2**32 - 1), special=st.sampled_from([0.0, 0.5, 1.0]))
def test_agrees_with_pennylane(ansatz: Ansatz, seed: int, special: float) -> None:
    parameters = angles(ansatz.parameter_shape, seed, special)
    observable = np.random.default_rng(seed + 1).normal(size=2**ansatz.n_qubits)
    tracked = qml.numpy.array(parameters, requires_grad=True)
    engine = Engine(ansatz)

    expected = pennylane_circuit(ansatz, None)(tracked)
    np.testing.assert_allclose(engine.probabilities(parameters), expected, rtol=0, atol=1e-12)

    oracle = qml.grad(pennylane_circuit(ansatz, observable))(tracked)
    # Relative to the largest entry: where a gradient is exactly 0, the oracle has rounding errors.
    scale = max(np.abs(oracle).max(), 1e-3)
    assert np.abs(engine.gradient(observable) - oracle).max() <= 1e-10 * scale


@pytest.mark.parametrize("entanglers_first", [True, False])
@pytest.mark.parametrize("entangler", ["brickwork", "chain", "ring"])
@pytest.mark.parametrize(("n_qubits", "depth"), [(11, 3), (12, 2), (13, 1), (14, 4), (15, 2)])
def test_agrees_with_the_reference_where_kernels_are_blocked(
    n_qubits: int, depth: int, entangler: str, entanglers_first: bool
) -> None:
    ansatz = Ansatz(n_qubits, depth, entangler, entanglers_first)
    parameters = angles(ansatz.parameter_shape, n_qubits, 0.1)
    observable = np.random.default_rng(depth).normal(size=2**n_qubits)
    engine = Engine(ansatz)
    q = engine.probabilities(parameters)
    np.testing.assert_allclose(q, reference.probabilities(ansatz, parameters), rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        engine.gradient(observable),
        reference.gradient(ansatz, parameters, observable),
        rtol=0,
        atol=1e-13,
    )


def test_reference_gradient_is_that_of_finite_differences() -> None:
    ansatz = Ansatz.ring(3, 2)
    parameters = angles(ansatz.parameter_shape, 0, 0.0)
    observable = np.arange(8.0)
    step = 1e-6
    for index in np.ndindex(ansatz.parameter_shape):
        moved = np.zeros(ansatz.parameter_shape)
        moved[index] = step
        up = observable @ reference.probabilities(ansatz, parameters + moved)
        down = observable @ reference.probabilities(ansatz, parameters - moved)
        gradient = reference.gradient(ansatz, parameters, observable)[index]
        assert gradient == pytest.approx((up - down) / (2 * step), abs=1e-8)


def test_last_rz_layer_has_exactly_no_gradient() -> None:
    ansatz = Ansatz.chain(6, 2)
    engine = Engine(ansatz)
    engine.probabilities(angles(ansatz.parameter_shape, 3, 0.0))
    gradient = engine.gradient(np.arange(64.0))
    assert (gradient[-1, 1] == 0).all()
    assert (gradient[0, 1] != 0).any()


def test_same_input_gives_the_same_bits_whatever_came_before() -> None:
    ansatz = Ansatz.brickwork(9, 3)
    observable = np.random.default_rng(0).normal(size=2**9)
    target = angles(ansatz.parameter_shape, 1, 0.0)
    fresh, used = Engine(ansatz), Engine(ansatz)
    for seed in range(3):
        used.probabilities(angles(ansatz.parameter_shape, seed + 2, 0.5))
        used.gradient(-observable)
    q = used.probabilities(target)
    assert (fresh.probabilities(target) == q).all()
    first, second = fresh.gradient(observable), used.gradient(observable)
    assert (first == second).all()
    assert (used.gradient(observable) == first).all()  # the state is rebuilt for a second one
    assert (fresh.probabilities(target) == q).all()


def test_accepts_read_only_and_strided_observables() -> None:
    ansatz = Ansatz.brickwork(8, 2)
    engine = Engine(ansatz)
    engine.probabilities(angles(ansatz.parameter_shape, 1, 0.0))
    observable = np.random.default_rng(0).normal(size=2**8)
    expected = engine.gradient(observable)
    frozen = observable.copy()
    frozen.flags.writeable = False
    assert (engine.gradient(frozen) == expected).all()
    strided = np.repeat(observable, 2)[::2]
    assert (engine.gradient(strided) == expected).all()


def test_gradient_does_not_disturb_the_distribution() -> None:
    ansatz = Ansatz.ring(7, 2)
    engine = Engine(ansatz)
    q = engine.probabilities(angles(ansatz.parameter_shape, 4, 0.0))
    before = q.copy()
    engine.gradient(np.arange(128.0))
    assert (q == before).all()
    assert q.sum() == pytest.approx(1.0, abs=1e-13)


def test_convenience_function_returns_its_own_array() -> None:
    ansatz = Ansatz.brickwork(3, 1)
    q = probabilities(ansatz, np.zeros(ansatz.parameter_shape))
    assert q.tolist() == [1.0] + [0.0] * 7
    assert q.base is None


def test_plain_lists_are_taken_as_arrays() -> None:
    engine = Engine(Ansatz.brickwork(2, 1))
    assert engine.probabilities([[[0, 0], [0, 0]]]).tolist() == [1, 0, 0, 0]  # type: ignore[arg-type]
    assert engine.gradient([0.0, 0, 0, 0]).tolist() == [[[0, 0], [0, 0]]]  # type: ignore[arg-type]


def test_an_angle_that_is_not_finite_leaves_no_probability() -> None:
    assert np.isnan(probabilities(Ansatz.ring(3, 1), np.full((1, 2, 3), np.inf))).all()


def test_wrong_shapes_are_refused() -> None:
    engine = Engine(Ansatz.brickwork(3, 2))
    with pytest.raises(InvalidValueError, match="before `gradient`"):
        engine.gradient(np.zeros(8))
    with pytest.raises(InvalidValueError, match=r"\(2, 2, 3\).*got \(2, 3\)"):
        engine.probabilities(np.zeros((2, 3)))
    with pytest.raises(InvalidValueError, match=r"\(8,\).*got \(4,\)"):
        engine.gradient(np.zeros(4))
