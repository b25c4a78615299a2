"""The device ``exact`` before it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.kinds.options import SampleEstimator, check_shots
from qhn.devices.queued import Access


@dataclass(frozen=True)
class Exact:
    """Exact simulation of all 2^N probabilities on one core, or exact sampling from them.

    Attributes:
        shots: how many samples each circuit is run for. None gives the whole distribution instead,
            without any sampling.
        estimator: how gradients are had from samples. None is the parameter-shift rule, two
            circuits for each angle; ``"spsa"`` takes two circuits in all.

    Raises:
        InvalidValueError: if ``shots`` is not a whole number from 1 to 10^7, or if there is an
            estimator but no ``shots``.
    """

    kind: ClassVar[str] = "exact"
    shorthand: ClassVar[str] = "shots"
    shots: int | None = None
    estimator: SampleEstimator | None = None

    def __post_init__(self) -> None:
        if self.shots is not None:
            check_shots(self.shots)
        elif self.estimator is not None:
            raise InvalidValueError(
                f"an estimator needs samples, but got estimator={self.estimator!r} without "
                "shots; give shots too, or leave it out"
            )

    @property
    def capabilities(self) -> Capabilities:
        """The whole distribution, or samples. Interrupted work is computed again, at no cost."""
        return Capabilities(
            distribution=self.shots is None,
            samples=self.shots is not None,
            log_q=False,
            reproducible=True,
            queued=False,
            submission="idempotent",
            shots=self.shots,
        )

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """See `Device.open`."""
        # Compiled code is loaded where a device is opened, and never where a sweep is planned.
        from qhn.devices.exact import ExactHandle, ExactSamplerHandle

        kind = ExactHandle if self.shots is None else ExactSamplerHandle
        return kind(ansatz, self.capabilities)
