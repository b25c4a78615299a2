"""From a device's name in a sweep file to an open handle."""

from __future__ import annotations

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices.handle import DeviceHandle


def open_device(name: str, ansatz: Ansatz) -> DeviceHandle:
    """Open a device for one circuit.

    Raises:
        InvalidValueError: if no device has that name.
    """
    if name == "exact":
        # Compiled code loads only where a device is opened, never where a sweep is planned.
        from qhn.devices.exact import ExactDevice

        return ExactDevice(ansatz)
    raise InvalidValueError(f"a device must be one of exact, but got {name!r}")
