"""The handle of the device ``exact``: the exact engine as an open device."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities


class ExactHandle:
    """Exact simulation on one core. It computes the whole distribution and does not sample.

    Args:
        ansatz: the circuit.
        capabilities: the capabilities of the device that opens this handle.
    """

    name = "exact"

    def __init__(self, ansatz: Ansatz, capabilities: Capabilities) -> None:
        self.ansatz = ansatz
        self.capabilities = capabilities
        self._engine: Engine | None = Engine(ansatz)

    @property
    def _open_engine(self) -> Engine:
        if self._engine is None:
            raise InvalidValueError("a device handle must be open, but this one was closed")
        return self._engine

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """See `SimulatorHandle.probabilities`."""
        return self._open_engine.probabilities(parameters)

    def gradient(self, observable: FloatArray) -> FloatArray:
        """See `SimulatorHandle.gradient`."""
        return self._open_engine.gradient(observable)

    def close(self) -> None:
        """Free the buffers of the engine."""
        # Each of its states has 2^N numbers, and the next trial of this process may need the
        # memory.
        self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
