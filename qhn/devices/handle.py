"""The protocol of a device handle: what a trial may ask of the device that it owns."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray


@runtime_checkable
class DeviceHandle(Protocol):
    """One open device, bound to one ansatz.

    Attributes:
        name: the device's name in a sweep file.
        exact: True if the handle gives the exact distribution; ELBO needs one that does.
        ansatz: the circuit that it runs.
    """

    name: str
    exact: bool
    ansatz: Ansatz

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ, shape ``(2^N,)``, at angles of shape ``(depth, 2, N)``.

        The array may be a buffer of the handle, valid until the next call.
        """
        ...

    def gradient(self, observable: FloatArray) -> FloatArray:
        """d/dθ Σ_σ O(σ) q_θ(σ) with O held fixed, shape ``(depth, 2, N)``.

        Taken at the parameters of the last call of `probabilities`.
        """
        ...

    def close(self) -> None:
        """Give back what the handle holds; closing twice is allowed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
