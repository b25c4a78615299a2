"""From which training the angles of a trial come, if they are not random."""

from __future__ import annotations

from pydantic import field_validator

from qhn.sweeps.config.devices import AnyDevice, DeviceConfig
from qhn.sweeps.config.part import Part, broken_rule
from qhn.sweeps.config.sections import TrainingConfig


class StartConfig(Part):
    """The training from whose last angles a trial starts: its parent.

    The parent has the configuration of the trial itself in everything but its device and training.
    So these two say all about it, and nothing is written twice.
    """

    device: AnyDevice
    training: TrainingConfig

    @field_validator("device")
    @classmethod
    def _check_queue(cls, device: DeviceConfig) -> DeviceConfig:
        return without_queue(device)


def without_queue(device: DeviceConfig) -> DeviceConfig:
    """Check that a device has no queue, as trials must have from which others start.

    Raises:
        PydanticCustomError: if it has one.
    """
    if device.capabilities.queued:
        raise broken_rule(
            "a trial must start from angles that were trained on a device without a queue, but got "
            f"{device.title}; use exact, for example"
        )
    return device
