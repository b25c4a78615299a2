"""Noisy value and gradient, averaged over trajectories that are each computed as a whole.

With T trajectories, whose distributions q_t are independent, the noisy distribution q is estimated
by their mean q̄. E_q[nll] and its gradient are linear in q, so that q̄ gives them without bias. MMD²
is quadratic: MMD²(q̄) would count each trajectory's similarity with itself, and be too large by
about 1/T of it. So the mean over pairs of *different* trajectories (a U-statistic) is taken:

    MMD²(q̄) − V / (T − 1)  with  V = (1/T) Σ_t q_tᵀ K q_t − q̄ᵀ K q̄.

The kernel is the same for strings that are moved by the same mask, so that q_tᵀ K q_t depends only
on the signs of a trajectory and costs one transform for each group. The gradient is that of the
expectation over q_t of

    O_t = ∂F/∂q(q̄) + 2(λ/n)/(T − 1) · (K q̄ − K q_t),

so that one reverse pass for each group is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles, restored_angles
from qhn.core.estimators.estimator import Evaluation, TopString, TrajectorySimulator
from qhn.core.estimators.exact import probable_strings
from qhn.core.estimators.limits import limits_of
from qhn.core.estimators.sampler import SampleKey
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import Problem
from qhn.core.noise.engine import averaged
from qhn.core.noise.flipping import flipped
from qhn.core.noise.frames import Frames
from qhn.core.noise.moments import Moments
from qhn.core.objectives.kernels import kernel_apply
from qhn.core.seeds import Purpose, stream

if TYPE_CHECKING:
    from qhn.core.objectives.objective import Objective

#: Into how many blocks the trajectories are divided for the standard errors of the gradient.
BLOCKS = 32
_STATE_KEYS = ("reported_parameters", "reported_step")


@dataclass(frozen=True)
class _Average:
    """The trajectories of one step at one set of angles.

    Attributes:
        parameters: the angles in radians, shape ``(depth, 2, N)``.
        frames: the trajectories.
        mean: q̄, shape ``(2^N,)``.
        mixed: K q̄, shape ``(2^N,)``; None if MMD² is not needed.
        overlaps: q_tᵀ K q_t of each group, in the order of the groups; empty if not needed.
    """

    parameters: FloatArray
    frames: Frames
    mean: FloatArray
    mixed: FloatArray | None
    overlaps: tuple[float, ...]

    @property
    def excess(self) -> float:
        """V / (T − 1), by how much MMD²(q̄) is too large on average."""
        assert self.mixed is not None
        count, values = len(self.frames), Moments()
        for group, overlap in zip(self.frames.groups, self.overlaps, strict=True):
            values.add(overlap, len(group.members))
        mean, _ = values.mean_and_error()
        return (float(mean) - _dot(self.mean, self.mixed)) / (count - 1)


class TrajectoryEstimator:
    """An `Estimator` for a noisy circuit, from the exact distributions of trajectories.

    The trajectories are drawn anew at every step. KL divergence and entropy are absent, because
    they are not linear in q, and an average over trajectories gives them only with bias.

    Args:
        problem: data and loss table.
        ansatz: the circuit. It has as many qubits as the network has bits.
        objective: MLE or SELBO, made with the table of the problem.
        simulator: runs trajectories of this ansatz.
        seed: the trial's seed, for everything that is drawn.
        best_of: k of the metric ``best_of_k``.

    Raises:
        InvalidValueError: if the sizes do not fit, if ``best_of`` is not a whole number from 1 on,
            or if the objective is ELBO.
    """

    def __init__(
        self,
        *,
        problem: Problem,
        ansatz: Ansatz,
        objective: Objective,
        simulator: TrajectorySimulator,
        seed: int,
        best_of: int,
    ) -> None:
        check_count("best_of", best_of)
        if objective.name in ("elbo", "kale"):
            raise InvalidValueError(
                "an objective that is averaged over trajectories must be mle or selbo, but got "
                f"{objective.name}, whose divergence the average gives only with bias"
            )
        self.ansatz = ansatz
        self.limits = limits_of(problem, ansatz)
        self._problem = problem
        self._objective = objective
        self._simulator = simulator
        self._seed = seed
        self._best_of = best_of
        self._evaluator = Evaluator(problem)
        self._evaluated = initial_angles(ansatz, seed)
        self._reported, self._reported_step = self._evaluated.copy(), 0
        # The average at the evaluated angles; None as long as there is none for a report.
        self._average: _Average | None = None

    def evaluate(
        self, parameters: FloatArray, lambda_: float, step: int, *, report: bool = True
    ) -> Evaluation:
        """See `Estimator.evaluate`."""
        weight = lambda_ / self._objective.n_points if self._objective.name == "selbo" else 0.0
        # With a λ that is far too large the numbers overflow, and the training counts as diverged.
        with np.errstate(over="ignore", invalid="ignore"):
            average = self._averaged(parameters, step, kernel=report or weight != 0)
            value, observable = self._objective.value_and_observable(
                average.mean, lambda_, self._prior(step)
            )
            if weight:
                value -= weight * average.excess
                assert average.mixed is not None
                observable = observable + self._share(average, weight) * average.mixed
            gradient = np.zeros(parameters.shape)
            for _, count, slope in self._slopes(average, average.frames, observable, weight):
                gradient += count / len(average.frames) * slope
            self._evaluated[...] = parameters
            self._average = average if report else None
            if not report:
                return Evaluation(value, gradient, None)
            by_angle = self._gradient_errors(average, observable, weight)
            errors = {
                **self._errors(average, observable, weight),
                "gradient_norm": float(by_angle.max()),
                "gradient": float(np.sqrt(np.square(by_angle).sum())),
            }
            return Evaluation(value, gradient, errors, by_angle)

    def _averaged(self, parameters: FloatArray, step: int, *, kernel: bool) -> _Average:
        """Run the trajectories of a step."""
        frames = self._simulator.trajectories(SampleKey("", self._seed, step))
        mean: FloatArray = np.zeros(2**self.ansatz.n_qubits)
        mixed, overlaps = np.empty_like(mean), []
        for group in frames.groups:
            q = self._simulator.run(parameters, group)
            mean += len(group.members) / len(frames) * averaged(q, group)
            if kernel:
                overlaps.append(_dot(q, self._mix(q, mixed)))
        if not kernel:
            return _Average(parameters, frames, mean, None, ())
        return _Average(parameters, frames, mean, self._mix(mean, mixed), tuple(overlaps))

    def _mix(self, q: FloatArray, out: FloatArray) -> FloatArray:
        return kernel_apply(q, self._objective.bandwidth, out)

    def _prior(self, step: int) -> IntArray | None:
        """The prior strings of a step, the same as in exact training with the same seed."""
        count = self._objective.prior_samples
        if count is None:
            return None
        rng = stream(self._seed, Purpose.PRIOR_SAMPLES, step)
        return rng.integers(1 << self.ansatz.n_qubits, size=count, dtype=np.int64)

    @staticmethod
    def _share(average: _Average, weight: float) -> float:
        """2(λ/n)/(T − 1), the weight of one trajectory's own K q_t in its observable."""
        return 2.0 * weight / (len(average.frames) - 1)

    def _slopes(
        self, average: _Average, frames: Frames, observable: FloatArray, weight: float
    ) -> Iterator[tuple[FloatArray, int, FloatArray]]:
        """Run some trajectories, group by group: distribution, count, gradient of Σ O_t q_t.

        Args:
            average: what is known of all trajectories of the step.
            frames: those to run.
            observable: ∂F/∂q(q̄) + 2(λ/n)/(T − 1) · K q̄, the part of O_t that all have in common.
            weight: λ/n; 0 if there is no MMD².
        """
        mixed = np.empty_like(average.mean)
        for group in frames.groups:
            q = self._simulator.run(average.parameters, group)
            of_group = averaged(observable, group)
            if weight:
                of_group = of_group - self._share(average, weight) * self._mix(q, mixed)
            yield averaged(q, group), len(group.members), self._simulator.slope(of_group, group)

    def _gradient_errors(
        self, average: _Average, observable: FloatArray, weight: float
    ) -> FloatArray:
        """The standard error of each component of the gradient, from blocks of trajectories.

        A trajectory moves the gradient as one of those that are averaged, and for SELBO also as a
        part of the q̄ in the observable of all others. A block stands for its trajectories, because
        the second part takes a reverse pass for each block and group.
        """
        count = len(average.frames)
        edges = np.linspace(0, count, min(BLOCKS, count) + 1).astype(int)
        # The second part varies little with the trajectories that it is averaged over, so a few of
        # them are enough.
        others = average.frames.part(slice(0, BLOCKS))
        sizes, found = np.diff(edges), []
        for start, size in zip(edges, sizes, strict=False):
            block = average.frames.part(slice(start, start + size))
            influence: FloatArray = np.zeros(average.parameters.shape)
            mean = np.zeros_like(average.mean)
            for q, members, slope in self._slopes(average, block, observable, weight):
                influence += members / size * slope
                mean += members / size * q
            if weight:
                pull = 2.0 * weight * self._mix(mean, mean)
                for group in others.groups:
                    self._simulator.run(average.parameters, group)
                    slope = self._simulator.slope(averaged(pull, group), group)
                    influence += len(group.members) / len(others) * slope
            found.append(influence)
        blocks, shares = np.stack(found), sizes / count
        away = blocks - np.einsum("b,b...->...", shares, blocks)
        spread = np.einsum("b,b...->...", np.square(shares), np.square(away))
        errors: FloatArray = np.sqrt(spread * len(sizes) / (len(sizes) - 1))
        return errors

    def _errors(self, average: _Average, observable: FloatArray, weight: float) -> dict[str, float]:
        """The standard errors of the objective and of the metrics that are means over trajectories.

        Each is the error of a mean over trajectories of q_t · function − share · q_tᵀ K q_t.
        """
        problem, count = self._problem, len(average.frames)
        assert average.mixed is not None
        # MMD² is a mean over pairs, and each trajectory is in it twice.
        doubled = 2.0 * count / (count - 1) * average.mixed
        parts = {
            "objective": (observable, self._share(average, weight)),
            "nll": (problem.nll, 0.0),
            "mmd2": (doubled, 2.0 / (count - 1)),
            "train_accuracy_expected": (problem.train_accuracy, 0.0),
            "test_accuracy_expected": (problem.test_accuracy, 0.0),
        }
        values = {name: Moments() for name in parts}
        for group, overlap in zip(average.frames.groups, average.overlaps, strict=True):
            q = self._simulator.run(average.parameters, group)
            for name, (function, share) in parts.items():
                for mask, members in zip(group.masks, group.counts, strict=True):
                    found = _dot(q, flipped(function, mask)) - share * overlap
                    values[name].add(found, int(members))
        return {name: float(of_name.mean_and_error()[1]) for name, of_name in values.items()}

    def measure(self, step: int) -> dict[str, float]:
        """See `Estimator.measure`. There is no ``kl`` and no ``entropy``.

        ``nll``, ``mmd2`` and the expected accuracies are without bias, so ``mmd2`` may be slightly
        negative. The other accuracies are those of the average distribution.
        """
        average = self._average
        if average is None:
            raise InvalidValueError(
                "`evaluate` must be called before `measure`, with `report`: it runs the circuits"
            )
        terms = self._objective.terms(average.mean)
        rng = stream(self._seed, Purpose.BEST_OF_K, step)
        self._reported[:], self._reported_step = self._evaluated, step
        return {
            "nll": float(terms.nll),
            "mmd2": float(terms.mmd2) - average.excess,
            **self._evaluator.accuracies(average.mean, self._best_of, rng),
        }

    def top_strings(self, k: int) -> list[TopString]:
        """See `Estimator.top_strings`: probabilities are those of the average distribution."""
        check_count("k", k)
        # The trajectories of the last report are run again, with the same errors. Keeping their
        # average would cost an array of size 2^N, and one in every checkpoint.
        average = self._averaged(self._reported, self._reported_step, kernel=False)
        return probable_strings(self._problem, average.mean, k)

    def state(self) -> ArrayState:
        """The angles and the step of the last report, from which all else follows."""
        step = np.array(self._reported_step, dtype=np.int64)
        return dict(zip(_STATE_KEYS, (self._reported.copy(), step), strict=True))

    def restore(self, state: ArrayState) -> None:
        """See `Estimator.restore`."""
        if set(state) != set(_STATE_KEYS):
            raise InvalidValueError(
                f"the state of training with trajectories must hold {', '.join(_STATE_KEYS)}, "
                f"but got {', '.join(sorted(state)) or 'nothing'}"
            )
        angles, step = (state[name] for name in _STATE_KEYS)
        if step.shape != () or step.dtype != np.int64 or step < 0:
            raise InvalidValueError(
                f"reported_step must be one whole number from 0 on, but got {step!r}"
            )
        self._reported = restored_angles(_STATE_KEYS[0], angles, self.ansatz)
        self._reported_step, self._average = int(step), None


def _dot(q: FloatArray, function: FloatArray) -> float:
    # Not `@`, whose sums depend on the number of threads.
    return float(np.einsum("i,i->", q, function))
