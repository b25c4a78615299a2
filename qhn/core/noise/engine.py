"""Samples, expectation values and gradients of a noisy circuit, from frames on the exact engine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray, readonly
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.passes import draw
from qhn.core.noise.flipping import flipped
from qhn.core.noise.frames import Frames, Group
from qhn.core.noise.moments import Moments


class NoisyExpectation(NamedTuple):
    """The mean of an observable over trajectories, and the standard error of this mean.

    The error is NaN for a single trajectory, which says nothing about the spread.
    """

    mean: float
    standard_error: float


class NoisyGradient(NamedTuple):
    """The gradient of a noisy expectation value.

    Attributes:
        expectation: the expectation value itself.
        gradient: the mean over trajectories, shape ``(depth, 2, N)``.
        standard_errors: the standard errors of these means, of the same shape; None if they were
            not asked for.
    """

    expectation: NoisyExpectation
    gradient: FloatArray
    standard_errors: FloatArray | None


class NoisyEngine:
    """Simulates one ansatz with Pauli errors; everything is exact for the trajectories given.

    Trajectories with the same signs of all angles share one run of the exact engine, so that weak
    noise costs little more than none. All memory of size 2^N that `Engine` takes is allocated when
    the noisy engine is made; masks take temporary arrays of this size.

    Example:
        >>> from qhn.core.noise.depolarising import Depolarising
        >>> from qhn.core.noise.frames import draw_frames
        >>> ansatz = Ansatz.brickwork(n_qubits=2, depth=1)
        >>> rng = np.random.default_rng(0)
        >>> frames = draw_frames(ansatz, Depolarising(p1=0.0, p2=0.0), 3, rng)
        >>> NoisyEngine(ansatz).sample(np.zeros((1, 2, 2)), frames, rng).tolist()
        [0, 0, 0]
    """

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self._engine = Engine(ansatz)
        self._size = 2**ansatz.n_qubits

    def sample(self, angles: FloatArray, frames: Frames, rng: np.random.Generator) -> IntArray:
        """Draw one outcome of each trajectory.

        Args:
            angles: in radians, shape ``(depth, 2, N)``.
            frames: T trajectories.
            rng: gives one uniform number for each trajectory.

        Returns:
            Basis-state indices, shape ``(T,)``. They are independent of each other. The outcome of
            a trajectory does not depend on which other trajectories there are.

        Raises:
            InvalidValueError: if the shapes do not fit the circuit, or an angle is not finite.
        """
        angles = self._checked(angles, frames)
        if not np.isfinite(angles).all():
            raise InvalidValueError(
                "angles must be finite to sample from, but got at least one that is not"
            )
        uniform = rng.random(len(frames))
        outcomes = np.empty(len(frames), dtype=np.int64)
        for group in frames.groups:
            q = self._engine.probabilities(angles * group.signs)
            # `draw` goes through q once, so it takes its uniform numbers in ascending order.
            order = group.members[np.argsort(uniform[group.members])]
            drawn = np.empty(len(order), dtype=np.int64)
            draw(readonly(q), readonly(uniform[order]), drawn)
            outcomes[order] = drawn
        return outcomes ^ frames.masks

    def run(self, angles: FloatArray, group: Group) -> FloatArray:
        """The distribution of the circuit of a group, before masks are applied, ``(2^N,)``.

        Args:
            angles: in radians, shape ``(depth, 2, N)``, without the signs of the group.
            group: trajectories whose circuits are the same.

        Returns:
            A buffer, which the next call of any method overwrites.
        """
        return self._engine.probabilities(angles * group.signs)

    def slope(self, observable: FloatArray, group: Group) -> FloatArray:
        """The gradient of Σ_σ q(σ) O(σ) for the circuit that `run` was called with last.

        Args:
            observable: O, shape ``(2^N,)``, for outcomes before masks are applied.
            group: the group that `run` was called with.

        Returns:
            A new array of shape ``(depth, 2, N)``: the derivatives by the angles without signs.
        """
        return group.signs * self._engine.gradient(observable)

    def probabilities(self, angles: FloatArray, frames: Frames) -> FloatArray:
        """The mean distribution of the trajectories, a new array of shape ``(2^N,)``.

        Raises:
            InvalidValueError: if the shapes do not fit the circuit.
        """
        angles = self._checked(angles, frames)
        mean = np.zeros(self._size)
        for group in frames.groups:
            q = self._engine.probabilities(angles * group.signs)
            mean += len(group.members) / len(frames) * averaged(q, group)
        return mean

    def expectation(
        self, angles: FloatArray, observable: FloatArray, frames: Frames
    ) -> NoisyExpectation:
        """The mean over trajectories of Σ_σ q(σ) O(σ).

        Args:
            angles: in radians, shape ``(depth, 2, N)``.
            observable: O, shape ``(2^N,)``.
            frames: T trajectories.

        Raises:
            InvalidValueError: if the shapes do not fit the circuit.
        """
        angles, observable = self._checked(angles, frames), self._checked_observable(observable)
        values = Moments()
        for group in frames.groups:
            self._add_values(group, angles, observable, values)
        return _expectation(values)

    def gradient(
        self,
        angles: FloatArray,
        observable: FloatArray,
        frames: Frames,
        *,
        errors: bool = False,
    ) -> NoisyGradient:
        """The mean over trajectories of Σ_σ q(σ) O(σ) and of its gradient, with O held fixed.

        The derivative by an angle whose sign a trajectory has flipped is minus the engine's.

        Args:
            angles: in radians, shape ``(depth, 2, N)``.
            observable: O, shape ``(2^N,)``.
            frames: T trajectories.
            errors: whether to compute the standard errors of the gradient as well. They take one
                gradient for each distinct pair of signs and mask, rather than one for each pattern
                of signs.

        Raises:
            InvalidValueError: if the shapes do not fit the circuit.
        """
        angles, observable = self._checked(angles, frames), self._checked_observable(observable)
        values, gradients = Moments(), Moments()
        for group in frames.groups:
            self._add_values(group, angles, observable, values)
            if errors:
                for mask, count in zip(group.masks, group.counts, strict=True):
                    moved = flipped(observable, mask)
                    gradients.add(group.signs * self._engine.gradient(moved), count)
            else:
                # A gradient is linear in O, so one observable stands for all masks of a group.
                slope = self._engine.gradient(averaged(observable, group))
                gradients.add(group.signs * slope, len(group.members))
        mean, standard_errors = gradients.mean_and_error()
        return NoisyGradient(_expectation(values), mean, standard_errors if errors else None)

    def _add_values(
        self, group: Group, angles: FloatArray, observable: FloatArray, values: Moments
    ) -> None:
        """Run the circuit of a group, and add the expectation values of its trajectories."""
        q = self._engine.probabilities(angles * group.signs)
        for mask, count in zip(group.masks, group.counts, strict=True):
            # Not `@`, whose sums depend on the number of threads.
            values.add(float(np.einsum("i,i->", q, flipped(observable, mask))), count)

    def _checked(self, angles: FloatArray, frames: Frames) -> FloatArray:
        # Products with signs would spread a smaller array of angles over the circuit unnoticed.
        angles = np.asarray(angles, dtype=np.float64)
        shape = self.ansatz.parameter_shape
        if angles.shape != shape:
            raise InvalidValueError(
                f"angles must have the shape (depth, 2, N) = {shape}, but got {angles.shape}"
            )
        if frames.signs.shape[1:] != shape:
            raise InvalidValueError(
                f"frames must be of this circuit, with signs of the shape {shape}, "
                f"but got {frames.signs.shape[1:]}"
            )
        return angles

    def _checked_observable(self, observable: FloatArray) -> FloatArray:
        observable = np.asarray(observable, dtype=np.float64)
        if observable.shape != (self._size,):
            raise InvalidValueError(
                f"observable must have the shape (2^N,) = {(self._size,)}, "
                f"but got {observable.shape}"
            )
        return observable


def _expectation(values: Moments) -> NoisyExpectation:
    mean, standard_error = values.mean_and_error()
    return NoisyExpectation(float(mean), float(standard_error))


def averaged(array: FloatArray, group: Group) -> FloatArray:
    """The mean of ``array[σ ⊕ mask]`` over the trajectories of a group, shape ``(2^N,)``.

    It may be the array itself, if the only mask is 0.
    """
    if len(group.masks) == 1:
        return flipped(array, group.masks[0])
    mean = np.zeros(len(array))
    for mask, count in zip(group.masks, group.counts, strict=True):
        mean += count / len(group.members) * flipped(array, mask)
    return mean
