"""How a trial on a queued device comes to its handle and to its turn in the lane."""

from __future__ import annotations

from qhn.core.errors import InvalidValueError
from qhn.devices import DEVICES, DeviceHandle
from qhn.devices.queued import Access, QueuedHandle
from qhn.lanes.desk import Desk
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Store
from qhn.sweeps.trial.lane_sampler import LaneSampler


def access_of(device: DeviceConfig, ticket: Ticket) -> Access:
    """The settings with which a queued device is reached.

    Raises:
        InvalidValueError: if the device has no queue, or if it has no such settings.
    """
    kind = getattr(DEVICES[device.name], "access", None)
    if kind is None:
        raise InvalidValueError(f"only a device with a queue has a lane, but got {device.name}")
    try:
        access: Access = kind(**ticket.access)
    except TypeError as error:
        raise InvalidValueError(
            f"{device.name} cannot be reached with these settings: {error}"
        ) from None
    return access


def open_device(config: TrialConfig, ticket: Ticket | None) -> DeviceHandle:
    """Open the device of a trial. The caller closes the handle.

    Args:
        config: the configuration of the trial.
        ticket: the trial's lane; None if its device has no queue.
    """
    device, ansatz = config.device, factory.ansatz(config)
    return device.build().open(ansatz, None if ticket is None else access_of(device, ticket))


def lane_sampler(
    config: TrialConfig, handle: DeviceHandle, ticket: Ticket, desk: Desk, store: Store
) -> LaneSampler:
    """The sampler of a trial on a queued device. The caller closes it.

    Args:
        config: the configuration of the trial.
        handle: the open device.
        ticket: the lane of the trial.
        desk: the broker of the lane's queue.
        store: where the trial is kept.

    Raises:
        InvalidValueError: if the device has no queue.
        StoreError: if the store cannot be used.
    """
    if not isinstance(handle, QueuedHandle):
        raise InvalidValueError(f"only a device with a queue has a lane, but got {handle.name}")
    return LaneSampler(
        handle,
        desk,
        ticket,
        access_of(config.device, ticket).provider,
        store,
        trial=config.trial_id,
        backend=config.device.title,
        seed=config.seed,
    )
