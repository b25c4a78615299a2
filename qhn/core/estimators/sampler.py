"""What training from samples needs from a device, and how a request for samples is identified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.seeds import Purpose, stream


@dataclass(frozen=True)
class SampleKey:
    """For which trial and step samples are drawn.

    Two requests with the same key are one request that was repeated, for example after a crash. So
    there is no number of an attempt in it.

    Attributes:
        trial: the id of the trial, for names of jobs and for tags; empty if the trial has none. It
            never decides a sample, so that trials with the same seed can be compared in pairs.
        seed: the seed of the trial.
        step: the number of parameter updates before the request.
    """

    trial: str
    seed: int
    step: int

    def rng(self) -> np.random.Generator:
        """A new random generator from which a simulator takes everything that it draws.

        Only the errors of noisy gates come from streams of their own; see `faults_rng`.
        """
        return stream(self.seed, Purpose.DEVICE_SAMPLES, self.step)

    def faults_rng(self, circuit: int = 0) -> np.random.Generator:
        """A new random generator for the errors that happen in one circuit of the request.

        Args:
            circuit: the circuit's place in the request. Each has a stream of its own, so that its
                errors do not depend on how many other circuits there are.
        """
        return stream(self.seed, Purpose.NOISE, self.step, circuit)


class StillWaiting(Exception):
    """Samples have been asked for and are not there yet; asking again with the same key goes on.

    A sampler that waits for a queue raises it from time to time, so that whoever trains is not out
    of reach for as long as the queue takes. Nothing has changed when it is raised: not the angles,
    not the optimiser, not the estimator.
    """


class Sampler(Protocol):
    """A device that draws bit strings from q_θ; `qhn.devices.SamplerHandle` states the rules.

    Raises:
        StillWaiting: from `sample`, if the samples take longer than the sampler may wait.
    """

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """Indices of outcomes, shape ``(M, shots)``, for M sets of angles ``(M, depth, 2, N)``."""
