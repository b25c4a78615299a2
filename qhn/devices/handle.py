"""The protocols of open devices: what a trial may ask of the handle that it is lent."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.devices.capabilities import Capabilities


@runtime_checkable
class DeviceHandle(Protocol):
    """One open device, bound to one circuit. What it can do besides is in its capabilities.

    A handle serves one trial after another, and a trial may move to another process and go on
    there. So a handle must not hold a random stream: its state would depend on who asked before.
    Whatever draws takes its stream with each call, made from the trial's seed, the purpose and the
    step (`qhn.core.seeds`). A handle that samples is to follow a protocol ``SamplingHandle`` with
    ``samples(parameters, shots, rng)``: bit strings drawn from q_θ, shape ``(shots, N)``, where
    ``rng`` is a `numpy.random.Generator` that belongs to this call alone.

    Attributes:
        name: the device's name in a sweep file.
        capabilities: what it can do, the same as before it was opened.
        ansatz: the circuit that it runs.
    """

    name: str
    capabilities: Capabilities
    ansatz: Ansatz

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


@runtime_checkable
class SimulatorHandle(DeviceHandle, Protocol):
    """A handle whose capabilities have ``distribution``: nothing is drawn, nothing is random."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """q_θ, shape ``(2^N,)``, at angles in radians of shape ``(depth, 2, N)``.

        The array may be a buffer of the handle, valid until the next call.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...

    def gradient(self, observable: FloatArray) -> FloatArray:
        """d/dθ Σ_σ O(σ) q_θ(σ) with O held fixed, shape ``(depth, 2, N)``.

        Taken at the parameters of the last call of `probabilities`.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...
