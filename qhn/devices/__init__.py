"""Quantum devices: what each can do, which is known before it is opened, and open handles."""

from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle, SamplerHandle, SimulatorHandle, TrajectoryHandle
from qhn.devices.kinds import DEVICES, Device, make_device

__all__ = [
    "DEVICES",
    "Capabilities",
    "Device",
    "DeviceHandle",
    "SamplerHandle",
    "SimulatorHandle",
    "TrajectoryHandle",
    "make_device",
]
