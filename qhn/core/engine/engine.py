"""Exact simulation of one circuit: its distribution and the gradients of functions of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, readonly
from qhn.core.errors import InvalidValueError

__all__ = ["Engine", "layer_bytes", "probabilities"]

# Kernels work on blocks of 128 amplitudes, so a register has at least seven index bits. For a
# smaller circuit the bits above its qubits stay in state 0.
_MIN_BITS = 7
# Equal places of several arrays fall into the same sets of the processor's cache, and displace each
# other there, if the distance between the arrays is a power of two. So each array begins this many
# doubles (nine cache lines) later than a power of two after the one before.
_SKEW = 72
_CACHE_LINE = 64


class Engine:
    """Exact simulation of one ansatz in double precision, on one thread.

    All memory of size 2^N is allocated when the engine is made: five arrays of 2^N doubles (real
    and imaginary parts of the state ψ and of the adjoint state λ, and the distribution q), less
    than half an array of scratch space, and for each layer two tables of 2^(N−7) + 128 doubles,
    that is one array more for every 64 layers. Nothing of that size is allocated later, unless an
    observable has to be copied because it is not contiguous or not float64.

    The first engine of a process loads the compiled code from the disk. On the first use on a
    machine it compiles that code instead, which takes some seconds.

    Example:
        >>> engine = Engine(Ansatz.brickwork(n_qubits=2, depth=1))
        >>> engine.probabilities(np.zeros((1, 2, 2))).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, ansatz: Ansatz) -> None:
        # Numba takes a fifth of a second to import. Planning a sweep imports this module as well,
        # but makes no engine.
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
        # The bits above the qubits are the highest ones, so the outcomes in which all of them are 0
        # come first.
        self._probabilities = q[: 2**n_qubits]
        self._padded = None if n_bits == n_qubits else np.zeros(size)
        self._has_angles = False
        self._state_is_fresh = False

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """The distribution of outcomes, q_θ(σ) = |⟨σ|ψ(θ)⟩|².

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``. An angle that is not finite
                makes every probability NaN.

        Returns:
            Array of shape ``(2^N,)``. It is a view of an internal buffer, which the next call of
            this method overwrites.

        Raises:
            InvalidValueError: if ``parameters`` have another shape.
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
        """The gradient ∂/∂θ Σ_σ O(σ) q_θ(σ) of an expectation value, with O held fixed.

        It is taken at the parameters that `probabilities` was last called with.

        Args:
            observable: O, shape ``(2^N,)``.

        Returns:
            A new array of shape ``(depth, 2, N)``.

        Raises:
            InvalidValueError: if ``observable`` has another shape, or if `probabilities` was not
                called before.
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
            # The reverse pass undoes the circuit on the state itself, so a second gradient at the
            # same angles has to run the circuit again.
            self._evolve()
        self._state_is_fresh = False
        result = np.empty(self.ansatz.parameter_shape)
        self._backward(self._prepared(observable), self._workspace, self._plan, result)
        return result

    def _evolve(self) -> None:
        self._forward(self._angles, self._workspace, self._plan)
        self._state_is_fresh = True

    def _prepared(self, observable: FloatArray) -> FloatArray:
        """The observable on the whole register, read-only.

        For a padded register the entries beyond 2^N stay 0, since the bits above the qubits are
        never 1.
        """
        if self._padded is None:
            return readonly(observable)
        self._padded[: observable.size] = observable
        return readonly(self._padded)


def layer_bytes(n_qubits: int) -> int:
    """Memory that an engine takes for each layer of its circuit, in bytes.

    It holds the tables of the layer, its angles and its gradients.
    """
    n_bits = max(n_qubits, _MIN_BITS)
    tables = 2 * ((1 << n_bits - _MIN_BITS) + (1 << _MIN_BITS))
    return 8 * (tables + 7 * n_bits)


def probabilities(ansatz: Ansatz, parameters: FloatArray) -> FloatArray:
    """The distribution of one circuit as a new array; see `Engine.probabilities`.

    Make an `Engine` instead if you have more than one set of parameters: it allocates its memory
    only once.
    """
    return Engine(ansatz).probabilities(parameters).copy()


def _skewed(count: int, size: int) -> list[FloatArray]:
    """Arrays of zeros in one block of memory, each of which begins in a cache set of its own."""
    step = size + _SKEW
    line = _CACHE_LINE // 8
    block: Any = np.zeros(count * step + line)
    # The number of doubles from the start of the block to the first whole cache line.
    first = -(block.ctypes.data // 8) % line
    return [block[first + k * step : first + k * step + size] for k in range(count)]
