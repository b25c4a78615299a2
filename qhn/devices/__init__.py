"""Quantum devices: what each can do, known without opening it, and handles to the open ones."""

from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle, SimulatorHandle
from qhn.devices.kinds import DEVICES, Device, make_device

__all__ = [
    "DEVICES",
    "Capabilities",
    "Device",
    "DeviceHandle",
    "SimulatorHandle",
    "make_device",
]
