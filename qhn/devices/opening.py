"""What open handles of all libraries have in common: they close, and check what they are asked."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities


class OpenHandle:
    """A `DeviceHandle` until it is closed.

    Args:
        name: the name of the device in a sweep file.
        ansatz: the circuit.
        capabilities: the capabilities of the device that opens this handle.
    """

    def __init__(self, name: str, ansatz: Ansatz, capabilities: Capabilities) -> None:
        self.name = name
        self.ansatz = ansatz
        self.capabilities = capabilities
        self._closed = False

    def close(self) -> None:
        """Refuse all further work. Subclasses release what they hold."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidValueError("a device handle must be open, but this one was closed")


def check_sets(sets: FloatArray, ansatz: Ansatz) -> None:
    """Check that sets of angles are those of a circuit.

    Raises:
        InvalidValueError: if their shape is not ``(M, depth, 2, N)``.
    """
    shape = ansatz.parameter_shape
    if sets.ndim != 4 or sets.shape[1:] != shape:
        raise InvalidValueError(
            f"sets of angles must have the shape (M, depth, 2, N) = (M, {str(shape)[1:-1]}), "
            f"but got {sets.shape}"
        )
