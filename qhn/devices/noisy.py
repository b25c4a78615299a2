"""The handles of the device ``exact`` with depolarising noise: trajectories on the exact engine."""

from __future__ import annotations

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.estimators.sampler import SampleKey
from qhn.core.noise.depolarising import Depolarising
from qhn.core.noise.engine import NoisyEngine
from qhn.core.noise.frames import Frames, Group, draw_frames
from qhn.devices.capabilities import Capabilities
from qhn.devices.exact import OpenEngine
from qhn.devices.opening import check_sets


class _NoisyHandle(OpenEngine[NoisyEngine]):
    """What both handles have in common.

    Args:
        ansatz: the circuit.
        capabilities: the capabilities of the device that opens this handle.
        noise: the probabilities of errors after its gates.
    """

    def __init__(self, ansatz: Ansatz, capabilities: Capabilities, noise: Depolarising) -> None:
        super().__init__(NoisyEngine(ansatz), ansatz, capabilities)
        self._noise = noise

    def _frames(self, count: int, key: SampleKey, circuit: int = 0) -> Frames:
        return draw_frames(self.ansatz, self._noise, count, key.faults_rng(circuit))


class NoisySamplerHandle(_NoisyHandle):
    """A noisy quantum processor: each sample is the outcome of a trajectory of its own."""

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """See `SamplerHandle.sample`."""
        engine = self.open_engine
        check_sets(sets, self.ansatz)
        rng = key.rng()
        samples = np.empty((len(sets), check_count("shots", shots)), dtype=np.int64)
        for place, (angles, row) in enumerate(zip(sets, samples, strict=True)):
            row[:] = engine.sample(angles, self._frames(shots, key, place), rng)
        return samples


class TrajectoryAverageHandle(_NoisyHandle):
    """Distributions that are averaged over trajectories, each of which is exact."""

    def trajectories(self, key: SampleKey) -> Frames:
        """See `TrajectoryHandle.trajectories`."""
        engine, count = self.open_engine, self.capabilities.trajectories
        assert engine is not None and count is not None
        return self._frames(count, key)

    def run(self, parameters: FloatArray, group: Group) -> FloatArray:
        """See `TrajectoryHandle.run`."""
        return self.open_engine.run(parameters, group)

    def slope(self, observable: FloatArray, group: Group) -> FloatArray:
        """See `TrajectoryHandle.slope`."""
        return self.open_engine.slope(observable, group)
