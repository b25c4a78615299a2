"""A trial without Ray: its device and, if that has a queue, a broker in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from qhn.devices import DeviceHandle
from qhn.lanes.ledger import ENDS
from qhn.lanes.local import LocalDesk
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.lanes import plan_lanes
from qhn.sweeps.spec.devices import DeviceSpec, device_spec
from qhn.sweeps.spec.lanes import lanes_of_file
from qhn.sweeps.store import Store
from qhn.sweeps.store.lane_place import StoredPlace
from qhn.sweeps.store.memory import MemoryBackend
from qhn.sweeps.trial.lane_opening import access_of, lane_sampler, open_device
from qhn.sweeps.trial.lane_sampler import LaneSampler

#: What the jobs of a trial that belongs to no sweep are accounted to.
SWEEP = "train"


@dataclass(frozen=True)
class Opened:
    """What a `qhn.sweeps.trial.session.TrialSession` needs besides its data and its store.

    Attributes:
        device: the open device.
        sampler: takes the trial's turns in the lane; None if the device has no queue.
        place: where the jobs are written down; None if the device has no queue.
        currency: of the cost of jobs; empty if the device has no queue.
    """

    device: DeviceHandle
    sampler: LaneSampler | None = None
    place: StoredPlace | None = None
    currency: str = ""

    def jobs_left(self) -> list[str]:
        """Jobs that may still be at the provider: their ids, or the ids of their submission."""
        if self.place is None:
            return []
        left = [record for record in self.place.ledger.read() if record.state not in ENDS]
        return [record.job_id or record.submission for record in left]


@contextmanager
def opened(config: TrialConfig, ticket: Ticket | None, store: Store) -> Iterator[Opened]:
    """Open the device of a trial, with a broker in this process if it has a queue.

    Args:
        config: the configuration of the trial.
        ticket: the trial's lane; None if its device has no queue.
        store: where the trial and its jobs are kept.

    Raises:
        StoreError: if the store cannot be used, or if another broker serves the queue.
        DeviceError: if the device cannot be reached.
    """
    with open_device(config, ticket) as device, ExitStack() as stack:
        if ticket is None:
            yield Opened(device)
            return
        desk = LocalDesk(ticket.queue, lambda _, queue: StoredPlace(store.backend, queue))
        stack.enter_context(closing(desk))
        sampler = lane_sampler(config, device, ticket, desk, store)
        stack.enter_context(closing(sampler))
        currency = access_of(config.device, ticket).provider.currency
        yield Opened(device, sampler, StoredPlace(store.backend, ticket.queue), currency)


@contextmanager
def opened_alone(config: TrialConfig, entry: DeviceSpec | None = None) -> Iterator[Opened]:
    """Open the device of a trial that belongs to no sweep. Nothing outlives the context.

    If the device has a queue, the trial has a lane to itself, whose limits follow from the
    provider. Its ledger is in the memory of this process.

    Args:
        config: the configuration of the trial.
        entry: the device as it would stand in a sweep file, with the settings by which it is
            reached; None for the defaults of these.

    Raises:
        DeviceError: if the device cannot be reached.
    """
    if not config.device.capabilities.queued:
        with open_device(config, None) as device:
            yield Opened(device)
        return
    if entry is None:
        entry = device_spec(config.device.model_dump(mode="json", exclude_none=True))
    store = Store(MemoryBackend(SWEEP))
    (lane,) = lanes_of_file([entry], {})
    (planned,) = plan_lanes([lane], {lane.name: [config]})
    with TemporaryDirectory(prefix="qhn-train-") as folder:
        ticket = planned.ticket(entry.key, store=store.uri, sweep=SWEEP, folder=folder)
        with opened(config, ticket, store) as found:
            yield found
