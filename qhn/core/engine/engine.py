"""Exact simulation of one circuit: its distribution and the gradients of functions of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, readonly
from qhn.core.errors import InvalidValueError

__all__ = ["Engine", "layer_bytes", "probabilities"]

# A register never has fewer index bits: kernels work on blocks of 128 amplitudes. The bits above
# the qubits of a smaller circuit stay in state 0.
_MIN_BITS = 7
# Arrays whose lengths are powers of two compete for the same cache sets if they also begin at the
# same one; each is shifted by this many doubles against the one before.
_SKEW = 72
_CACHE_LINE = 64


class Engine:
    """Exact simulation of one ansatz in double precision, on one thread.

    All memory of size 2^N is allocated here: five arrays of 2^N doubles for ψ, λ and q, less than
    half of one, and two tables of 2^(N−7) + 128 doubles for each layer (one array more for every
    64 layers). Nothing of that size is allocated later, unless an observable has to be copied
    because it is not contiguous or not float64.

    The first engine of a process loads the compiled code from disk, or on a machine's first use
    compiles it, which takes some seconds.

    Example:
        >>> engine = Engine(Ansatz.brickwork(n_qubits=2, depth=1))
        >>> engine.probabilities(np.zeros((1, 2, 2))).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, ansatz: Ansatz) -> None:
        # Numba takes a fifth of a second to import, and configurations need no engine.
        from qhn.core.engine.circuit import Workspace, backward, forward
        from qhn.core.engine.permutation import plan_permutations

        self.ansatz = ansatz
        depth, n_qubits = ansatz.depth, ansatz.n_qubits
        n_bits = max(n_qubits, _MIN_BITS)
        size = 2**n_bits
        high = 2 ** (n_bits - _MIN_BITS)
        ket_re, ket_im, bra_re, bra_im, q = _skewed(5, size)
        self._forward, self._backward = forward, backward
        self._plan = plan_permutations(ansatz, n_bits)
        self._workspace = Workspace(
            ket_re=ket_re,
            ket_im=ket_im,
            bra_re=bra_re,
            bra_im=bra_im,
            probabilities=q,
            trigonometry=np.zeros((3, depth, n_bits)),
            high=np.zeros((depth, 2, high)),
            low=np.zeros((depth, 2, 2**_MIN_BITS)),
            sums=np.zeros(size // 8),
            scratch_high=np.zeros(high),
            scratch_low=np.zeros(2**_MIN_BITS),
            gradient=np.zeros((depth, 2, n_bits)),
        )
        self._angles = np.zeros(ansatz.parameter_shape)
        self._probabilities = q[: 2**n_qubits]
        self._padded = None if n_bits == n_qubits else np.zeros(size)
        self._has_angles = False
        self._state_is_fresh = False

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ(σ) = |⟨σ|ψ(θ)⟩|².

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``. An angle that is not finite
                makes every probability NaN.

        Returns:
            Shape ``(2^N,)``: a view of an internal buffer, valid until the next call of this
            method.

        Raises:
            InvalidValueError: if the shape is another one.
        """
        parameters = np.asarray(parameters, dtype=np.float64)
        if parameters.shape != self.ansatz.parameter_shape:
            raise InvalidValueError(
                f"parameters must have the shape (depth, 2, N) = {self.ansatz.parameter_shape}, "
                f"but got {parameters.shape}"
            )
        self._angles[...] = parameters
        self._has_angles = True
        self._evolve()
        return self._probabilities

    def gradient(self, observable: FloatArray) -> FloatArray:
        """∂/∂θ Σ_σ O(σ) q_θ(σ), O held fixed, at the last parameters of `probabilities`.

        Args:
            observable: O, shape ``(2^N,)``.

        Returns:
            Shape ``(depth, 2, N)``, a new array.

        Raises:
            InvalidValueError: if the shape is another one, or no distribution was asked for yet.
        """
        observable = np.asarray(observable, dtype=np.float64)
        if observable.shape != self._probabilities.shape:
            raise InvalidValueError(
                f"observable must have the shape (2^N,) = {self._probabilities.shape}, "
                f"but got {observable.shape}"
            )
        if not self._has_angles:
            raise InvalidValueError(
                "`probabilities` must be called before `gradient`: it sets the parameters"
            )
        if not self._state_is_fresh:
            # The pass back consumes the state, so a second gradient runs the circuit again.
            self._evolve()
        self._state_is_fresh = False
        result = np.empty(self.ansatz.parameter_shape)
        self._backward(self._prepared(observable), self._workspace, self._plan, result)
        return result

    def _evolve(self) -> None:
        self._forward(self._angles, self._workspace, self._plan)
        self._state_is_fresh = True

    def _prepared(self, observable: FloatArray) -> FloatArray:
        """The observable over the whole register; bits above the qubits are never 1."""
        if self._padded is None:
            return readonly(observable)
        self._padded[: observable.size] = observable
        return readonly(self._padded)


def layer_bytes(n_qubits: int) -> int:
    """Memory of an engine for each layer, in bytes: its tables, angles and gradients."""
    n_bits = max(n_qubits, _MIN_BITS)
    tables = 2 * ((1 << n_bits - _MIN_BITS) + (1 << _MIN_BITS))
    return 8 * (tables + 7 * n_bits)


def probabilities(ansatz: Ansatz, parameters: FloatArray) -> FloatArray:
    """The distribution of one circuit as a new array; see `Engine.probabilities`.

    For more than one set of parameters keep an `Engine`, which allocates its memory once.
    """
    return Engine(ansatz).probabilities(parameters).copy()


def _skewed(count: int, size: int) -> list[FloatArray]:
    """Zeroed arrays in one block, each on a cache line of its own set."""
    step = size + _SKEW
    line = _CACHE_LINE // 8
    block: Any = np.zeros(count * step + line)
    first = -(block.ctypes.data // 8) % line
    return [block[first + k * step : first + k * step + size] for k in range(count)]
