"""The protocols of open devices: what a trial may ask of the handle that it gets."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray, IntArray
from qhn.core.estimators.sampler import SampleKey
from qhn.core.noise.frames import Frames, Group
from qhn.devices.capabilities import Capabilities


@runtime_checkable
class DeviceHandle(Protocol):
    """An open device for one circuit. Its capabilities say which further methods it has.

    A handle serves one trial after another, and a trial may continue in another process. So a
    handle must not hold a random stream, because the state of that stream would depend on the
    trials before. A method that draws takes a `SampleKey` with each call, which says for which
    trial and step it draws (see `SamplerHandle`).

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


@runtime_checkable
class SamplerHandle(DeviceHandle, Protocol):
    """A handle of a device that draws bit strings from q_θ and knows nothing else about it.

    A caller asks for all circuits of one training step in one call. Where the device takes fewer
    circuits in one job (see `Capabilities.circuits_per_job`), the handle divides them itself.
    """

    def sample(self, sets: FloatArray, shots: int, key: SampleKey) -> IntArray:
        """Run the circuit with each set of angles, and give what was measured.

        What is random in a reproducible device comes from the seed and the step of ``key`` and from
        nothing else. Neither the trial's id, nor the number of the attempt, nor the time may
        change a sample: a step that is repeated after a crash must draw the same ones. A device
        that is not reproducible uses the key to name its submission, so that work that was paid
        for is found again.

        Args:
            sets: M sets of angles in radians, shape ``(M, depth, 2, N)``, all of them finite.
            shots: how often each circuit is run, S >= 1.
            key: for which trial and step the samples are drawn.

        Returns:
            A new array of basis-state indices, shape ``(M, S)``, int64. Qubit 0 is the highest bit.
            The order of the S samples of one set means nothing; they may be sorted.

        Raises:
            InvalidValueError: if the handle was closed, if the angles have another shape, or if
                ``shots`` is not a whole number from 1 on.
        """
        ...


@runtime_checkable
class TrajectoryHandle(DeviceHandle, Protocol):
    """A handle of a device that simulates noise trajectory by trajectory, each one exactly.

    A trajectory is the circuit with one draw of all errors. It is described by a frame
    (`qhn.core.noise.frames`): the same circuit with other signs of its angles, whose outcomes are
    moved by a mask. Trajectories with the same signs are one group, and are run once.
    """

    def trajectories(self, key: SampleKey) -> Frames:
        """Draw as many trajectories as `Capabilities.trajectories` says.

        Seed and step of the key decide them, and nothing else does.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...

    def run(self, parameters: FloatArray, group: Group) -> FloatArray:
        """The distribution of the circuit of a group, before masks are applied, shape ``(2^N,)``.

        Args:
            parameters: angles in radians, shape ``(depth, 2, N)``, without the signs of the group.
            group: one of the groups of `trajectories`.

        Returns:
            An array that may be a buffer of the handle. It is valid until the next call.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...

    def slope(self, observable: FloatArray, group: Group) -> FloatArray:
        """The gradient d/dθ Σ_σ O(σ) q(σ) of the group that was run last, shape ``(depth, 2, N)``.

        Args:
            observable: O, shape ``(2^N,)``, for outcomes before masks are applied.
            group: the group that `run` was called with.

        Raises:
            InvalidValueError: if the handle was closed.
        """
        ...
