"""Gradients from two circuits: simultaneous perturbation stochastic approximation (SPSA).

All angles move at once by ±c, each in a random direction Δ_i = ±1, and the derivative by angle i is
estimated by (F₊ − F₋) / (2 c Δ_i) (Spall, IEEE Trans. Autom. Control 37, 1992). The estimate is
without bias up to terms of order c². It costs two circuits a step however many angles there are,
but it is far noisier than the parameter-shift rule, so a training needs many more steps, and with
them many more jobs.
"""

from __future__ import annotations

import math

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.estimators.estimator import Evaluation
from qhn.core.estimators.sampled import SampledEstimator
from qhn.core.evaluation.drawn import error_of_mean
from qhn.core.seeds import Purpose, stream

#: The move c_k = c / (k + 1)^γ at step k, in radians. The exponent is the one that Spall recommends
#: for finite samples. 0.2 trains at 6 qubits and 256 shots, where the noise is large beside F.
MOVE = 0.2
MOVE_EXPONENT = 0.101


class SpsaEstimator(SampledEstimator):
    """An `Estimator` by SPSA. For the arguments, see `SampledEstimator`.

    At a step with a report there is a third circuit in the same job, at the angles themselves: the
    metrics of a report must not be those of angles that were moved.
    """

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """See `Estimator.evaluate`.

        Without ``report`` the value is the mean of F at the two moved sets of angles, which differs
        from F by terms of order c². The standard error of the gradient is that of the shots alone;
        the random directions are not counted.
        """
        if not np.isfinite(parameters).all():
            return self._diverged(parameters)
        move = MOVE / (step + 1) ** MOVE_EXPONENT
        rng = stream(self._seed, Purpose.PERTURBATIONS, step)
        directions = rng.integers(2, size=parameters.shape) * 2.0 - 1.0
        sets = [parameters + move * directions, parameters - move * directions]
        samples = self._draw(np.stack([*sets, parameters] if report else sets), step)
        with np.errstate(over="ignore", invalid="ignore"):
            up, down, *here = (self._read(drawn, lambda_, step) for drawn in samples)
            slope = (up.value - down.value) / (2.0 * move)
            gradient = slope * directions
            self._remember(parameters, samples[2] if report else None)
            if not report:
                return Evaluation((up.value + down.value) / 2.0, gradient, None)
            # Of a single shot both errors are NaN, and no errors are given.
            shot_noise = math.hypot(error_of_mean(up.influence), error_of_mean(down.influence))
            errors = np.full(parameters.shape, shot_noise / (2.0 * move))
            return self._with_errors(here[0], gradient, errors)
