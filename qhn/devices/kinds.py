"""Every device that a configuration may name: its options, its capabilities, and how to open it.

A device is plain data until it is opened. So a sweep can be planned where the device is not, and
libraries such as Numba, PennyLane or Qiskit load only in the process that opens one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle


class Device(Protocol):
    """A device as a configuration describes it: a frozen dataclass whose fields are its options.

    An option that is added later defaults to None and means today's behaviour then, since options
    are part of a trial's identity. What only concerns where, when and at what price circuits run
    is no option.

    Attributes:
        kind: the device's name in sweep files, a key of `DEVICES`.
    """

    kind: ClassVar[str]

    @property
    def capabilities(self) -> Capabilities:
        """What it can do with these options."""

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """An open handle for one circuit, which the caller closes."""


@dataclass(frozen=True)
class Exact:
    """Exact simulation of all 2^N probabilities on one core."""

    # No options: there is nothing to choose about an exact number.
    kind: ClassVar[str] = "exact"

    @property
    def capabilities(self) -> Capabilities:
        """The whole distribution; what is interrupted is computed again and costs nothing."""
        return Capabilities(
            distribution=True,
            samples=False,
            log_q=False,
            reproducible=True,
            queued=False,
            submission="idempotent",
        )

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """See `Device.open`."""
        # Compiled code loads only where a device is opened, never where a sweep is planned.
        from qhn.devices.exact import ExactHandle

        return ExactHandle(ansatz, self.capabilities)


#: Every device by its name in sweep files.
DEVICES: dict[str, type[Device]] = {Exact.kind: Exact}


def make_device(name: str, **options: Any) -> Device:
    """The device of a name, not opened.

    Raises:
        InvalidValueError: if no device has that name, it has no such option, or a value breaks
            its rule.

    Example:
        >>> make_device("exact").capabilities.distribution
        True
    """
    if name not in DEVICES:
        raise InvalidValueError(f"a device must be one of {', '.join(DEVICES)}, but got {name!r}")
    # A protocol cannot say that what follows it is a dataclass.
    device: Any = DEVICES[name]
    allowed = [field.name for field in dataclasses.fields(device)]
    if unknown := sorted(set(options) - set(allowed)):
        raise InvalidValueError(
            f"{name} has the options {', '.join(allowed) or '(none)'}, "
            f"but got {', '.join(unknown)}; leave them out"
        )
    made: Device = device(**options)
    return made
