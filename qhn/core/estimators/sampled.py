"""What all estimators from samples have in common: reports, most frequent strings and state.

Reports are made from samples that were drawn for the training anyway, and the device is never asked
for them. KL divergence and entropy are absent: samples do not give them without bias.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray, IntArray
from qhn.core.bits import bit_string
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles, restored_angles
from qhn.core.estimators.estimator import Evaluation, TopString
from qhn.core.estimators.limits import limits_of
from qhn.core.estimators.sampler import SampleKey, Sampler
from qhn.core.estimators.shots import Shots, ShotSchedule, as_shots, shots_at, smallest_shots
from qhn.core.evaluation.drawn import accuracies_of_samples, error_of_mean, scorer
from qhn.core.evaluation.task import Task
from qhn.core.metrics import ACCURACIES
from qhn.core.objectives.sampled import Pull, SampledObjective
from qhn.core.seeds import Purpose, stream

#: How many of the most frequent strings a state keeps. All of them would be as many as there are
#: shots, and a state is written every second.
KEPT_STRINGS = 100
_STATE_KEYS = ("reported_parameters", "reported_strings", "reported_counts")
_SHOTS_KEY = "reported_shots"


class Reading(NamedTuple):
    """The objective as one sample gives it.

    Attributes:
        samples: the sample, shape ``(S,)``.
        value: F, without bias, in nats.
        influence: how much each string of the sample moves F, shape ``(S,)``. The standard error of
            F is that of the mean of these numbers.
        losses: nll of each string, shape ``(S,)``, in nats.
        pull: its divergence; None if the objective has none, or λ is 0.
    """

    samples: IntArray
    value: float
    influence: FloatArray
    losses: FloatArray
    pull: Pull | None


class SampledEstimator:
    """The common part of the estimators from samples; `ShiftEstimator` and `SpsaEstimator` use it.

    Args:
        problem: data and networks. With tables their losses are looked up; without, the networks
            that were drawn are evaluated.
        ansatz: the circuit. It has as many qubits as the network has bits.
        objective: the objective to minimise.
        sampler: draws strings from q_θ for this ansatz.
        shots: how often each circuit is run, S, at every step or by a schedule. MMD² needs at
            least two.
        seed: the trial's seed, for everything that is drawn.
        best_of: k of the metric ``best_of_k``.
        steps: the number of updates of the training, over which a schedule of shots extends.
        trial: the trial's id, by which a device names its jobs; empty if it has none.

    Raises:
        InvalidValueError: if the sizes do not fit, if a count is not a whole number from 1 on, or
            if there are too few shots for the objective.
    """

    def __init__(
        self,
        *,
        problem: Task,
        ansatz: Ansatz,
        objective: SampledObjective,
        sampler: Sampler,
        shots: Shots,
        seed: int,
        best_of: int,
        steps: int | None = None,
        trial: str = "",
    ) -> None:
        check_count("best_of", best_of)
        self._shots = as_shots(shots)
        check_count("shots", smallest_shots(self._shots), 2 if objective.name == "selbo" else 1)
        if steps is None and isinstance(self._shots, ShotSchedule):
            raise InvalidValueError(
                f"a schedule of shots needs the number of steps, but got steps={steps} for the "
                f"shots {self._shots}"
            )
        self._steps = 0 if steps is None else check_count("steps", steps)
        self.ansatz = ansatz
        self.limits = limits_of(problem, ansatz)
        self._problem = problem
        self._objective = objective
        self._sampler = sampler
        self._seed = seed
        self._best_of = best_of
        self._trial = trial
        self._scorer = scorer(problem)
        self._evaluated = initial_angles(ansatz, seed)
        self._reported = self._evaluated.copy()
        self._strings: IntArray = np.zeros(0, dtype=np.int64)
        self._counts: IntArray = np.zeros(0, dtype=np.int64)
        self._reported_shots = 0 if isinstance(self._shots, ShotSchedule) else self._shots
        # The sample at the evaluated angles. It is None as long as there is none, and empty at
        # angles that are not finite.
        self._samples: IntArray | None = None

    def _draw(self, sets: FloatArray, step: int) -> IntArray:
        shots = shots_at(self._shots, step, self._steps)
        return self._sampler.sample(sets, shots, SampleKey(self._trial, self._seed, step))

    def _diverged(self, parameters: FloatArray) -> Evaluation:
        """The evaluation at angles that are not finite, for which no device must be paid."""
        self._remember(parameters, np.zeros(0, dtype=np.int64))
        return Evaluation(math.nan, np.full(parameters.shape, math.nan), None)

    def _remember(self, parameters: FloatArray, samples: IntArray | None) -> None:
        # A copy, since the trainer updates its angles in place, and the next report must remember
        # these ones.
        self._evaluated[...] = parameters
        # Another copy: a row of the samples of all circuits would keep all of them in memory.
        self._samples = None if samples is None else samples.copy()

    def _read(self, samples: IntArray, lambda_: float, step: int) -> Reading:
        """The objective as a sample of one circuit gives it."""
        weight, losses = self._objective.weight(lambda_), self._scorer.nll(samples)
        if weight == 0:
            return Reading(samples, float(losses.mean()), losses, losses, None)
        pull = self._objective.pull(samples, self._objective.prior_mean(self._prior(step)))
        influence = losses + 2.0 * weight * pull.of_samples
        value = float(losses.mean()) + weight * pull.value
        return Reading(samples, value, influence, losses, pull)

    def _prior(self, step: int) -> IntArray | None:
        """The prior strings of a step, the same as in exact training with the same seed."""
        count = self._objective.prior_samples
        if count is None:
            return None
        rng = stream(self._seed, Purpose.PRIOR_SAMPLES, step)
        return rng.integers(1 << self.ansatz.n_qubits, size=count, dtype=np.int64)

    def _with_errors(
        self, reading: Reading, gradient: FloatArray, gradient_errors: FloatArray
    ) -> Evaluation:
        """The evaluation for a report, with standard errors. One shot has none.

        Args:
            reading: the objective at the evaluated angles.
            gradient: the gradient.
            gradient_errors: the standard error of each of its components, in its shape.
        """
        if len(reading.samples) < 2:
            return Evaluation(reading.value, gradient, None)
        scores = self._scorer.scores(reading.samples)
        drawn = None if reading.pull is None else reading.pull.drawn
        drawn = drawn or self._objective.drawn(reading.samples)
        errors = {
            "objective": error_of_mean(reading.influence),
            "gradient_norm": float(gradient_errors.max()),
            "gradient": float(np.sqrt(np.square(gradient_errors).sum())),
            "nll": error_of_mean(reading.losses),
            "mmd2": 2.0 * error_of_mean(drawn.to_others),
            "train_accuracy_expected": error_of_mean(scores.train_accuracy),
            "test_accuracy_expected": error_of_mean(scores.test_accuracy),
        }
        return Evaluation(reading.value, gradient, errors, gradient_errors)

    def measure(self, step: int) -> dict[str, float]:
        """See `Estimator.measure`. There is no ``kl`` and no ``entropy``.

        ``kale`` is that of the frequencies, which is too large by about 1/S.

        ``mmd2`` is without bias, so it may be slightly negative; one shot does not give it.
        """
        samples = self._samples
        if samples is None:
            raise InvalidValueError(
                "`evaluate` must be called before `measure`, with `report`: it draws the samples"
            )
        if len(samples):
            objective = self._objective
            metrics = {"nll": float(self._scorer.nll(samples).mean())}
            if len(samples) > 1:
                metrics["mmd2"], _ = objective.regulariser(objective.drawn(samples), None)
            if objective.name == "kale":
                metrics["kale"] = objective.pull(samples, None).value
            rng = stream(self._seed, Purpose.BEST_OF_K, step)
            metrics |= accuracies_of_samples(
                self._problem, self._scorer, samples, self._best_of, rng
            )
        else:
            pairs = shots_at(self._shots, step, self._steps) > 1
            kale = ("kale",) if self._objective.name == "kale" else ()
            mmd2 = ("mmd2",) if pairs else ()
            names = ("nll", *mmd2, *kale, *(m.name for m in ACCURACIES))
            metrics = dict.fromkeys(names, math.nan)
        strings, counts = np.unique(samples, return_counts=True)
        # Stable, so that of strings that are as frequent the lower index comes first.
        order = np.argsort(-counts, kind="stable")[:KEPT_STRINGS]
        self._strings, self._counts = strings[order], counts[order].astype(np.int64)
        self._reported[:] = self._evaluated
        if isinstance(self._shots, ShotSchedule):
            self._reported_shots = len(samples)
        return metrics

    def top_strings(self, k: int) -> list[TopString]:
        """See `Estimator.top_strings`: the most frequent strings, with their share of the sample.

        There are at most `KEPT_STRINGS`, and none before the first report, because a sample would
        have to be paid for.
        """
        check_count("k", k)
        strings, counts = self._strings[:k], self._counts[:k]
        scores = self._scorer.scores(strings)
        return [
            TopString(bit_string(int(index), self.ansatz.n_qubits), *map(float, numbers))
            for index, *numbers in zip(strings, counts / self._of_reported(), *scores, strict=True)
        ]

    def _of_reported(self) -> int:
        """The number of samples of the last report, of which only the most frequent are kept."""
        return max(1, self._reported_shots)

    def state(self) -> ArrayState:
        """The angles of the last report, and its most frequent strings with their counts.

        With a schedule of shots, also how many samples that report had.
        """
        arrays = (self._reported, self._strings, self._counts)
        state = {name: array.copy() for name, array in zip(_STATE_KEYS, arrays, strict=True)}
        # Where shots never change, states stay as they were before there were schedules.
        if isinstance(self._shots, ShotSchedule):
            state[_SHOTS_KEY] = np.array(self._reported_shots, dtype=np.int64)
        return state

    def restore(self, state: ArrayState) -> None:
        """See `Estimator.restore`."""
        if set(state) != set(self.state()):
            raise InvalidValueError(
                f"the state of training from samples must hold {', '.join(self.state())}, "
                f"but got {', '.join(sorted(state)) or 'nothing'}"
            )
        angles, strings, counts = (state[name] for name in _STATE_KEYS)
        reported = restored_angles(_STATE_KEYS[0], angles, self.ansatz)
        whole = all(array.dtype == np.int64 and array.ndim == 1 for array in (strings, counts))
        if not whole or strings.shape != counts.shape or len(strings) > KEPT_STRINGS:
            raise InvalidValueError(
                f"reported_strings and reported_counts must be at most {KEPT_STRINGS} whole "
                f"numbers each, but got {strings.shape} of {strings.dtype} and {counts.shape} "
                f"of {counts.dtype}"
            )
        outside = (strings < 0) | (strings >> self.ansatz.n_qubits > 0) | (counts < 1)
        shots = self._restored_shots(state)
        if outside.any() or counts.sum() > shots:
            raise InvalidValueError(
                f"reported_strings must be outcomes of {self.ansatz.n_qubits} qubits that were "
                f"counted {shots} times at most in all; the state is of another trial"
            )
        self._reported_shots = shots
        self._reported, self._strings, self._counts = reported, strings.copy(), counts.copy()
        self._samples = None

    def _restored_shots(self, state: ArrayState) -> int:
        """The number of samples of the report that a state is of."""
        if not isinstance(self._shots, ShotSchedule):
            return self._shots
        array = state[_SHOTS_KEY]
        if array.shape != () or array.dtype != np.int64 or not 0 <= array <= self._shots.largest:
            raise InvalidValueError(
                f"{_SHOTS_KEY} must be one whole number up to {self._shots.largest}, "
                f"but got {array!r}; the state is of another trial"
            )
        return int(array)
