"""Quantum devices behind one protocol; each trial owns exactly one handle and closes it."""

from qhn.devices.handle import DeviceHandle
from qhn.devices.opening import open_device

__all__ = ["DeviceHandle", "open_device"]
