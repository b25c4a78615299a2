"""All devices that a configuration may name: their options, their capabilities, how to open them.

A device is plain data until it is opened. So a sweep can be planned on a machine that cannot reach
the device, and libraries such as Numba, PennyLane or Qiskit are imported only by the process that
opens one. Each kind of device has a module of its own here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from qhn.core.errors import InvalidValueError
from qhn.devices.kinds.device import Device
from qhn.devices.kinds.exact import Exact
from qhn.devices.kinds.options import MAX_SHOTS, SampleEstimator
from qhn.devices.kinds.pennylane import PennyLane
from qhn.devices.kinds.qiskit import Qiskit
from qhn.devices.kinds.rehearsal import Rehearsal

__all__ = [
    "DEVICES",
    "MAX_SHOTS",
    "Device",
    "Exact",
    "PennyLane",
    "Qiskit",
    "Rehearsal",
    "SampleEstimator",
    "make_device",
]

#: Every device by its name in sweep files.
DEVICES: dict[str, type[Device]] = {
    device.kind: device for device in (Exact, PennyLane, Qiskit, Rehearsal)
}


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
