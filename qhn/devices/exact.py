"""The handles of the device ``exact``: the exact engine, read as a whole or by samples."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray, readonly
from qhn.core.checks import check_count
from qhn.core.engine.engine import Engine
from qhn.core.estimators.sampler import SampleKey
from qhn.core.evaluation.passes import draw
from qhn.devices.capabilities import Capabilities
from qhn.devices.opening import OpenHandle, check_sets

# How many uniform numbers are drawn at a time: half a MiB of them.
_BLOCK_NUMBERS = 2**16
AnyEngine = TypeVar("AnyEngine")


class OpenEngine(OpenHandle, Generic[AnyEngine]):
    """What the handles of this device have in common: an engine until they are closed.

    Args:
        engine: the engine, for pure states or with noise.
        ansatz: the circuit.
        capabilities: the capabilities of the device that opens this handle.
    """

    def __init__(self, engine: AnyEngine, ansatz: Ansatz, capabilities: Capabilities) -> None:
        super().__init__("exact", ansatz, capabilities)
        self._engine: AnyEngine | None = engine

    @property
    def open_engine(self) -> AnyEngine:
        """The engine.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        self._check_open()
        assert self._engine is not None
        return self._engine

    def close(self) -> None:
        """Free the buffers of the engine."""
        super().close()
        # Each of its states has 2^N numbers, and the next trial of this process may need the
        # memory.
        self._engine = None


class _PureHandle(OpenEngine[Engine]):
    def __init__(self, ansatz: Ansatz, capabilities: Capabilities) -> None:
        super().__init__(Engine(ansatz), ansatz, capabilities)


class ExactHandle(_PureHandle):
    """Exact simulation on one core. It computes the whole distribution and does not sample."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """See `SimulatorHandle.probabilities`."""
        return self.open_engine.probabilities(parameters)

    def gradient(self, observable: FloatArray) -> FloatArray:
        """See `SimulatorHandle.gradient`."""
        return self.open_engine.gradient(observable)


class ExactSamplerHandle(_PureHandle):
    """The ideal quantum processor: independent samples of the exact distribution, without noise.

    Nothing but samples leaves it, so that a training on it sees what it would see on hardware.
    """

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """See `SamplerHandle.sample`. The samples of each set are in ascending order."""
        engine = self.open_engine
        check_sets(sets, self.ansatz)
        rng = key.rng()
        samples = np.empty((len(sets), check_count("shots", shots)), dtype=np.int64)
        # Several rows at a time, which saves calls. The generator gives the same numbers however
        # they are divided.
        rows = max(1, _BLOCK_NUMBERS // shots)
        for start in range(0, len(sets), rows):
            block = slice(start, start + rows)
            drawn = samples[block]
            # `draw` goes through q once, so it takes its uniform numbers in ascending order.
            uniform = readonly(np.sort(rng.random(drawn.shape), axis=1))
            for angles, numbers, row in zip(sets[block], uniform, drawn, strict=True):
                draw(readonly(engine.probabilities(angles)), numbers, row)
        return samples
