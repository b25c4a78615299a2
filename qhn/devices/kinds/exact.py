"""The device ``exact`` before it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qhn.core.ansatz import Ansatz
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.kinds.options import (
    Depolarising,
    SampleEstimator,
    Shots,
    as_noise,
    as_shots,
    largest_shots,
    set_option,
)
from qhn.devices.queued import Access

#: How many trajectories a noisy distribution is averaged over at each step, unless it is said. At
#: 14 qubits and two layers, a step with noise of p1 = 0.001 and p2 = 0.004 takes about 10 ms.
DEFAULT_TRAJECTORIES = 128
#: The most trajectories. At this number a step takes minutes on 14 qubits.
MAX_TRAJECTORIES = 10**6


@dataclass(frozen=True)
class Exact:
    """Exact simulation of all 2^N probabilities on one core, or exact sampling from them.

    Attributes:
        shots: how many samples each circuit is run for, at every step or by a schedule. None gives
            the whole distribution instead, without any sampling.
        estimator: how gradients are had from samples. None is the parameter-shift rule, two
            circuits for each angle; ``"spsa"`` takes two circuits in all.
        noise: depolarising noise after every gate. With shots, each shot is one trajectory of the
            noisy circuit. Without shots, value and gradient are averaged over trajectories, each of
            which is computed as a whole. None, and probabilities of 0, mean no noise.
        trajectories: over how many trajectories value and gradient are averaged at each step, at
            least 2; None means `DEFAULT_TRAJECTORIES`.

    Raises:
        InvalidValueError: if a value is out of its range, if there is an estimator but no
            ``shots``, or if there are trajectories with shots or without noise.
    """

    kind: ClassVar[str] = "exact"
    shorthand: ClassVar[str] = "shots"
    shots: Shots | None = None
    estimator: SampleEstimator | None = None
    noise: Depolarising | None = None
    trajectories: int | None = None

    def __post_init__(self) -> None:
        if self.shots is not None:
            set_option(self, "shots", as_shots(self.shots))
        elif self.estimator is not None:
            raise InvalidValueError(
                f"an estimator needs samples, but got estimator={self.estimator!r} without "
                "shots; give shots too, or leave it out"
            )
        set_option(self, "noise", as_noise(self.noise))
        if self.trajectories is not None:
            self._check_trajectories(self.trajectories)

    def _check_trajectories(self, trajectories: int) -> None:
        if not 2 <= check_count("trajectories", trajectories) <= MAX_TRAJECTORIES:
            raise InvalidValueError(
                f"`2 <= trajectories <= {MAX_TRAJECTORIES}` must hold, "
                f"but got trajectories={trajectories}"
            )
        if self.noise is None or self.shots is not None:
            why = "without noise" if self.noise is None else "with shots"
            raise InvalidValueError(
                "trajectories are for noise without shots, of which each is a trajectory of its "
                f"own, but got trajectories={trajectories} {why}; leave them out"
            )
        if trajectories == DEFAULT_TRAJECTORIES:
            # What goes without saying must not give the same training a second identity.
            set_option(self, "trajectories", None)

    @property
    def averaged(self) -> int | None:
        """Over how many trajectories distributions are averaged; None if there are none."""
        if self.noise is None or self.shots is not None:
            return None
        return self.trajectories or DEFAULT_TRAJECTORIES

    @property
    def capabilities(self) -> Capabilities:
        """The whole distribution, samples or trajectories; what was lost is computed again."""
        return Capabilities(
            distribution=self.shots is None and self.noise is None,
            samples=self.shots is not None,
            log_q=False,
            reproducible=True,
            queued=False,
            submission="idempotent",
            shots=None if self.shots is None else largest_shots(self.shots),
            trajectories=self.averaged,
        )

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """See `Device.open`."""
        # Compiled code is loaded where a device is opened, and never where a sweep is planned.
        from qhn.devices import exact, noisy

        if self.noise is None:
            kind = exact.ExactHandle if self.shots is None else exact.ExactSamplerHandle
            return kind(ansatz, self.capabilities)
        if self.shots is None:
            return noisy.TrajectoryAverageHandle(ansatz, self.capabilities, self.noise)
        return noisy.NoisySamplerHandle(ansatz, self.capabilities, self.noise)
