"""The lanes of a plan: what each may do, with defaults that follow from the device's provider."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qhn.devices.queued import Access, Provider
from qhn.lanes import Budget, Limits, Prices
from qhn.lanes.limits import jobs_to_keep_in_flight, live_trials
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config.circuits import most_executions
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.spec.lanes import LaneOfFile, LaneSpec

#: How many steps go out as one job by default where the provider takes as many. In simulations more
#: of them saved little, and every one more keeps a live trial waiting.
MOST_COALESCED = 8
#: The most jobs in flight by default where the provider has no limit.
MOST_IN_FLIGHT = 32


@dataclass(frozen=True)
class PlannedLane:
    """The lane of a queued device in one sweep.

    Attributes:
        name: its name: that in the file, or the label of its device.
        queue: the name of the queue, by which all sweeps find the same broker and ledger.
        provider: what is to be expected of the provider.
        limits: what may be under way at once.
        live_trials: how many of its trials should be alive at once.
        budget: what the sweep may use of it; None if it is not limited.
        prices: what a job costs, in the provider's currency.
        access: how each of its devices is reached, by the device's label.
    """

    name: str
    queue: str
    provider: Provider
    limits: Limits
    live_trials: int
    budget: Budget | None
    prices: Prices
    access: Mapping[str, Access]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its devices."""
        return tuple(self.access)

    def ticket(self, label: str, *, store: str, sweep: str, folder: str) -> Ticket:
        """What a trial on one of the lane's devices needs to know.

        Args:
            label: the label of the trial's device.
            store: the address of the store.
            sweep: the name of the sweep.
            folder: a local folder in which the device may keep files.
        """
        access: Any = self.access[label].placed(folder, label)
        return Ticket(
            lane=self.name,
            queue=self.queue,
            store=store,
            sweep=sweep,
            limits=self.limits,
            budget=self.budget,
            prices=self.prices,
            job_s=self.provider.job_s,
            execution_s=self.provider.execution_s,
            access=dataclasses.asdict(access),
        )


def executions_of_step(config: TrialConfig) -> int:
    """How often circuits are executed in the largest step of a trial: circuits times shots."""
    return most_executions(config.device, config.ansatz.depth, config.n_qubits)


def plan_lanes(
    lanes: Iterable[LaneOfFile], trials_of: Mapping[str, Sequence[TrialConfig]]
) -> tuple[PlannedLane, ...]:
    """Fill in what a file leaves out about its lanes.

    Args:
        lanes: the lanes of the file.
        trials_of: the configurations of each lane's trials, one of each kind, by the lane's name.
    """
    return tuple(_planned(lane, trials_of.get(lane.name, ())) for lane in lanes)


def _planned(lane: LaneOfFile, trials: Sequence[TrialConfig]) -> PlannedLane:
    provider = next(iter(lane.access.values())).provider
    said = lane.spec or LaneSpec(devices=tuple(lane.access))
    sizes = [executions_of_step(config) for config in trials] or [0]
    limits = _limits(said, provider, sizes)
    alive = said.live_trials
    if alive is None:
        # A job takes the steps of several trials, all of which wait for it.
        together = limits.jobs_in_flight * limits.requests_per_job
        alive = max(live_trials(limits.jobs_in_flight), together)
    return PlannedLane(
        name=lane.name,
        queue=lane.queue,
        provider=provider,
        limits=limits,
        live_trials=alive,
        budget=_budget(said),
        prices=_prices(said, provider),
        access=lane.access,
    )


def _limits(said: LaneSpec, provider: Provider, sizes: Sequence[int]) -> Limits:
    together = min(said.requests_per_job or MOST_COALESCED, provider.parts_per_job)
    if provider.executions_per_job is not None and max(sizes) > 0:
        # All parts of a job together may have so many executions.
        together = min(together, provider.executions_per_job // max(sizes))
    together = max(1, together)
    in_flight = said.jobs_in_flight
    if in_flight is None:
        seconds = provider.qpu_seconds(round(statistics.median(sizes)) * together)
        most = min(provider.pending or MOST_IN_FLIGHT, MOST_IN_FLIGHT)
        in_flight = most
        if seconds > 0:
            in_flight = jobs_to_keep_in_flight(provider.queue_s, seconds, most)
    return Limits(
        jobs_in_flight=in_flight,
        submissions_per_minute=said.submissions_per_minute or provider.submissions_per_minute,
        requests_per_job=together,
        minute_s=provider.minute_s,
    )


def _budget(said: LaneSpec) -> Budget | None:
    if said.budget is None:
        return None
    return Budget(**said.budget.model_dump(), when_spent=said.when_spent)


def _prices(said: LaneSpec, provider: Provider) -> Prices:
    if said.prices is not None:
        return Prices(**said.prices.model_dump())
    return Prices(
        provider.price_job, provider.price_shot, provider.price_second, provider.price_minimum
    )
