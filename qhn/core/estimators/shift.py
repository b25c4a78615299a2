"""Gradients from samples by the parameter-shift rule: two shifted circuits for each angle.

For a rotation exp(−iθG/2) with G² = 1, the derivative of an expectation value is half the
difference of its values at θ + π/2 and θ − π/2. The rule holds for expectation values alone. The
MMD² of SELBO is not one, because it is quadratic in q. Its derivative is that of the expectation of
the observable O = nll + 2(λ/n)·Kq with q held fixed, and Kq is estimated by Kp̂, where p̂ are the
frequencies of the sample at the unshifted angles. The estimate has no bias, because that sample and
the shifted ones are independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.estimators.estimator import Evaluation
from qhn.core.estimators.sampled import Reading, SampledEstimator

# At how many samples the observable is computed at a time: half a MiB of numbers.
_BLOCK_SAMPLES = 2**16


def shifted_places(ansatz: Ansatz) -> IntArray:
    """Which angles are shifted: places in the flattened array of angles, shape ``(D,)``.

    The R_Z angles of the last layer are left out. They change only phases of outcomes, also where
    CNOTs follow, which permute outcomes, so their derivatives are 0.
    """
    return np.arange(ansatz.n_parameters - ansatz.n_qubits, dtype=np.int64)


def shifted_sets(ansatz: Ansatz, parameters: FloatArray) -> FloatArray:
    """All sets of angles of one step, shape ``(1 + 2D, depth, 2, N)``.

    First the angles as they are, then each angle moved by π/2, then each moved by −π/2. Brickwork
    of two layers has 37 sets on 6 qubits and 85 on 14.
    """
    places = shifted_places(ansatz)
    count = len(places)
    flat = np.tile(parameters.ravel(), (1 + 2 * count, 1))
    rows = 1 + np.arange(count)
    flat[rows, places] += math.pi / 2
    flat[rows + count, places] -= math.pi / 2
    return flat.reshape(-1, *ansatz.parameter_shape)


class ShiftEstimator(SampledEstimator):
    """An `Estimator` by the parameter-shift rule. Value and gradient are without bias.

    All circuits of a step go to the device together. For the arguments, see `SampledEstimator`.
    """

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """See `Estimator.evaluate`."""
        if not np.isfinite(parameters).all():
            return self._diverged(parameters)
        samples = self._draw(shifted_sets(self.ansatz, parameters), step)
        unshifted, (plus, minus) = samples[0], np.split(samples[1:], 2)
        # With a λ that is far too large the numbers overflow, and the training counts as diverged.
        with np.errstate(over="ignore", invalid="ignore"):
            reading = self._read(unshifted, lambda_, step)
            weight = self._objective.weight(lambda_)
            means: list[float] = []
            variances: list[float] = []
            for observed in self._observed(samples[1:], reading, weight):
                means.extend(observed.mean(axis=1).tolist())
                if report and len(unshifted) > 1:
                    variances.extend(observed.var(axis=1, ddof=1).tolist())
            places = shifted_places(self.ansatz)
            gradient: FloatArray = np.zeros(parameters.shape)
            up, down = np.reshape(means, (2, -1))
            gradient.flat[places] = (up - down) / 2.0
            self._remember(parameters, unshifted)
            if not variances:
                return Evaluation(reading.value, gradient, None)
            spread = np.reshape(variances, (2, -1)).sum(axis=0) / 4.0
            # What the function of KALE adds, which follows the sample as well, is left out.
            if weight and self._objective.name == "selbo":
                spread += self._shared(unshifted, plus, minus, weight)
            errors: FloatArray = np.zeros(parameters.shape)
            errors.flat[places] = np.sqrt(spread / len(unshifted))
            return self._with_errors(reading, gradient, errors)

    def _observed(self, samples: IntArray, reading: Reading, weight: float) -> Iterator[FloatArray]:
        """The observable O at the samples of one circuit after the other, some at a time."""
        rows = max(1, _BLOCK_SAMPLES // samples.shape[1])
        for start in range(0, len(samples), rows):
            drawn = samples[start : start + rows]
            observed = self._scorer.nll(drawn)
            if reading.pull is not None:
                observed = observed + 2.0 * weight * reading.pull.at(drawn)
            yield observed

    def _shared(
        self, unshifted: IntArray, plus: IntArray, minus: IntArray, weight: float
    ) -> FloatArray:
        """What the unshifted sample adds to the variance of each derivative, times S, ``(D,)``.

        All derivatives share the Kp̂ of that sample. Of the derivative by angle d it is the mean
        over the sample of (λ/n)·K(p̂₊ − p̂₋), with the frequencies at the two shifted angles.
        """
        added = np.empty(len(plus))
        shots = len(unshifted)
        weights = np.repeat([1.0, -1.0], shots) / shots
        for place, pair in enumerate(zip(plus, minus, strict=True)):
            slope = self._objective.kernel_mean(np.concatenate(pair), weights)
            added[place] = np.square(weight) * slope.at(unshifted).var(ddof=1)
        return added
