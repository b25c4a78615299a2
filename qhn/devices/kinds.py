"""All devices that a configuration may name: their options, their capabilities, how to open them.

A device is plain data until it is opened. So a sweep can be planned on a machine that cannot reach
the device, and libraries such as Numba, PennyLane or Qiskit are imported only by the process that
opens one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from qhn.core.ansatz import Ansatz
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle

#: The largest number of samples of one circuit. More than that no provider takes in one job.
MAX_SHOTS = 10**7
#: Ways to estimate a gradient from samples, besides the parameter-shift rule.
SampleEstimator = Literal["spsa"]


class Device(Protocol):
    """A device as a configuration describes it: a frozen dataclass whose fields are its options.

    Options are part of a trial's identity. So an option that is added later must default to None,
    and None must mean what was done before. Settings that only decide where, when and at what price
    circuits run must not be options.

    Attributes:
        kind: the name of the device in sweep files, a key of `DEVICES`.

    A device may also have a class variable ``shorthand``. It names the option that may follow the
    device's name after a colon, as in ``exact:1024``.
    """

    kind: ClassVar[str]

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do with these options."""

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """Open the device for one circuit. The caller closes the handle."""


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
        if self.shots is None:
            if self.estimator is not None:
                raise InvalidValueError(
                    f"an estimator needs samples, but got estimator={self.estimator!r} without "
                    "shots; give shots too, or leave it out"
                )
        elif check_count("shots", self.shots) > MAX_SHOTS:
            raise InvalidValueError(f"`shots <= {MAX_SHOTS}` must hold, but got shots={self.shots}")

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

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """See `Device.open`."""
        # Compiled code is loaded where a device is opened, and never where a sweep is planned.
        from qhn.devices.exact import ExactHandle, ExactSamplerHandle

        kind = ExactHandle if self.shots is None else ExactSamplerHandle
        return kind(ansatz, self.capabilities)


#: Every device by its name in sweep files.
DEVICES: dict[str, type[Device]] = {Exact.kind: Exact}


def make_device(name: str, **options: Any) -> Device:
    """Make the device with a name, without opening it.

    Args:
        name: a key of `DEVICES`.
        options: the options of this device, by name.

    Raises:
        InvalidValueError: if no device has this name, if the device has no such option, or if a
            value is out of its range.

    Example:
        >>> make_device("exact").capabilities.distribution
        True
    """
    if name not in DEVICES:
        raise InvalidValueError(f"a device must be one of {', '.join(DEVICES)}, but got {name!r}")
    # A protocol cannot express that every device is a dataclass, so the type checker must not look.
    device: Any = DEVICES[name]
    allowed = [field.name for field in dataclasses.fields(device)]
    if unknown := sorted(set(options) - set(allowed)):
        raise InvalidValueError(
            f"{name} has the options {', '.join(allowed) or '(none)'}, "
            f"but got {', '.join(unknown)}; leave them out"
        )
    made: Device = device(**options)
    return made
