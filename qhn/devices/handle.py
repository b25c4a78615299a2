"""The protocols of open devices: what a trial may ask of the handle that it gets."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.devices.capabilities import Capabilities


@runtime_checkable
class DeviceHandle(Protocol):
    """An open device for one circuit. Its capabilities say which further methods it has.

    A handle serves one trial after another, and a trial may continue in another process. So a
    handle must not hold a random stream, because the state of that stream would depend on the
    trials before. A method that draws takes a random stream with each call, which is made from the
    trial's seed, the purpose and the step (see `qhn.core.seeds`). There is no handle yet that
    samples. It shall follow a protocol ``SamplingHandle`` with the method ``samples(parameters,
    shots, rng)``, which gives bit strings drawn from q_θ, shape ``(shots, N)``; ``rng`` is a
    `numpy.random.Generator` that is made for this call.

    Attributes:
        name: the name of the device in a sweep file.
        capabilities: what the device can do, the same as before it was opened.
        ansatz: the circuit that it runs.
    """

    name: str
    capabilities: Capabilities
    ansatz: Ansatz

    def close(self) -> None:
        """Release everything that the handle holds. It may be called more than once."""
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
    """A handle of a device that computes the whole distribution. Nothing in it is random."""

    def probabilities(self, parameters: FloatArray) -> FloatArray:
        """The distribution q_θ, shape ``(2^N,)``.

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``.

        Returns:
            An array that may be a buffer of the handle. It is valid until the next call.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...

    def gradient(self, observable: FloatArray) -> FloatArray:
        """The gradient d/dθ Σ_σ O(σ) q_θ(σ) with O held fixed, shape ``(depth, 2, N)``.

        It is taken at the parameters of the last call of `probabilities`.

        Args:
            observable: O, shape ``(2^N,)``.

        Raises:
            InvalidValueError: if the handle was closed, or if `probabilities` was not called
                before.
        """
        ...
