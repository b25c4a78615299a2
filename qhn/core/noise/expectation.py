"""The expectation value of a noisy circuit, as one function."""

from __future__ import annotations

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.checks import check_count
from qhn.core.noise.depolarising import Depolarising
from qhn.core.noise.engine import NoisyEngine, NoisyExpectation
from qhn.core.noise.frames import draw_frames
from qhn.core.seeds import Purpose, stream


def noisy_expectation(
    ansatz: Ansatz,
    parameters: FloatArray,
    observable: FloatArray,
    *,
    p1: float,
    p2: float,
    trajectories: int,
    seed: int,
) -> NoisyExpectation:
    """The expectation value tr(O ρ(θ)) of a circuit with depolarising noise after every gate.

    Each gate U of the circuit, also one that changes nothing, is followed by the channel

        ρ → (1 − p) ρ + p/(4ⁿ − 1) Σ_P P ρ P†,

    where P runs over the Paulis on the n qubits of the gate without the identity: n = 1 and p = p1
    after each RY and each RZ, n = 2 and p = p2 after each CNOT. A trajectory is one draw of all
    these Paulis. Each one is a circuit without noise in which the angles θ have signs s, and
    outcomes are moved by a mask m (`qhn.core.noise.frames`), so that its expectation value is

        Σ_σ |⟨σ|ψ(s·θ)⟩|² O(σ ⊕ m),

    which is computed exactly. Its mean over trajectories is an unbiased estimate of tr(O ρ(θ)).

    The noise model is that of arXiv 2301.08292.

    Args:
        ansatz: the circuit.
        parameters: angles θ in radians, shape ``(depth, 2, N)``.
        observable: the diagonal O, shape ``(2^N,)``, such as a loss table.
        p1: the probability of an error after a rotation, between 0 and 1.
        p2: the probability of an error after a CNOT, between 0 and 1.
        trajectories: how many to draw, at least 2.
        seed: a whole number from 0 on. The same seed gives the same trajectories.

    Returns:
        The mean over trajectories and its standard error, as a pair with the names ``mean`` and
        ``standard_error``.

    Raises:
        InvalidValueError: if a value is out of its range or an array has another shape.

    Example:
        RY and RZ each shrink ⟨Z⟩ by the factor 1 − 4/3 · p1.

        >>> ansatz = Ansatz.brickwork(n_qubits=1, depth=1)
        >>> mean, standard_error = noisy_expectation(
        ...     ansatz, np.zeros((1, 2, 1)), [1, -1], p1=0.1, p2=0.0, trajectories=10_000, seed=0
        ... )
        >>> abs(mean - (1 - 4 / 3 * 0.1) ** 2) < 3 * standard_error < 0.03
        True
    """
    noise = Depolarising(p1=p1, p2=p2)
    # One trajectory would give no standard error.
    count = check_count("trajectories", trajectories, least=2)
    frames = draw_frames(ansatz, noise, count, stream(seed, Purpose.NOISE))
    return NoisyEngine(ansatz).expectation(parameters, observable, frames)
