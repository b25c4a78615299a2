"""The exact engine as a device."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError


class ExactDevice:
    """Exact simulation on one core: the whole distribution and its gradient, no sampling."""

    name = "exact"
    exact = True

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self._engine: Engine | None = Engine(ansatz)

    @property
    def _open_engine(self) -> Engine:
        if self._engine is None:
            raise InvalidValueError("a device handle must be open, but this one was closed")
        return self._engine

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """See `DeviceHandle.probabilities`."""
        return self._open_engine.probabilities(parameters)

    def gradient(self, observable: FloatArray) -> FloatArray:
        """See `DeviceHandle.gradient`."""
        return self._open_engine.gradient(observable)

    def close(self) -> None:
        """Free the engine's buffers."""
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
