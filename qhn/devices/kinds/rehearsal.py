"""The device ``rehearsal`` before it is opened."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.kinds.exact import Exact
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
from qhn.devices.rehearsal.access import RehearsalAccess


@dataclass(frozen=True)
class Rehearsal:
    """A quantum processor to practise on, free: the samples of ``exact`` behind a provider's queue.

    With the same shots and noise, the numbers are those of ``exact``, bit for bit. How the provider
    behaves is said by `RehearsalAccess`, and decides no number.

    Attributes:
        shots: how many samples each circuit is run for, at every step or by a schedule.
        estimator: how gradients are had from samples. None is the parameter-shift rule, two
            circuits for each angle; ``"spsa"`` takes two circuits in all.
        noise: depolarising noise after every gate; each shot is one trajectory of the noisy
            circuit. None, and probabilities of 0, mean no noise.

    Raises:
        InvalidValueError: if a value is out of its range.
    """

    kind: ClassVar[str] = "rehearsal"
    shorthand: ClassVar[str] = "shots"
    access: ClassVar[type[RehearsalAccess]] = RehearsalAccess
    shots: Shots = 1024
    estimator: SampleEstimator | None = None
    noise: Depolarising | None = None

    def __post_init__(self) -> None:
        set_option(self, "shots", as_shots(self.shots))
        set_option(self, "noise", as_noise(self.noise))

    @property
    def capabilities(self) -> Capabilities:
        """Samples, which wait in a queue.

        ``submission`` is that of the default preset; the capabilities of a handle, and
        `qhn.devices.queued.Provider`, have that of the chosen one.
        """
        return Capabilities(
            distribution=False,
            samples=True,
            log_q=False,
            reproducible=True,
            queued=True,
            submission=RehearsalAccess().behaviour.submission,
            shots=largest_shots(self.shots),
        )

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """See `Device.open`.

        Raises:
            InvalidValueError: if the access is that of another device.
            StoreError: if the provider's file cannot be used.
        """
        settings = RehearsalAccess() if access is None else access
        if not isinstance(settings, RehearsalAccess):
            raise InvalidValueError(
                "the rehearsal device must be opened with a RehearsalAccess, "
                f"but got {type(settings).__name__}"
            )
        # Compiled code is loaded where a device is opened, and never where a sweep is planned.
        from qhn.devices.rehearsal.handle import RehearsalHandle

        promised = dataclasses.replace(self.capabilities, submission=settings.behaviour.submission)
        exact = Exact(shots=self.shots, noise=self.noise)
        return RehearsalHandle(ansatz, promised, exact, settings)
