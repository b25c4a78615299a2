"""The exact engine as an open device."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities


class ExactHandle:
    """Exact simulation on one core: the whole distribution and its gradient, no sampling.

    Args:
        ansatz: the circuit.
        capabilities: of the device that this handle opens.
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
        """Free the engine's buffers."""
        # Its states are 2^N numbers each: the next trial of this process may need the room.
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
