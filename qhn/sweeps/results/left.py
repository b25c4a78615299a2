"""What is left to do in the lanes of a sweep, and what the sweep has used of them before."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from qhn.core.errors import DamagedError
from qhn.lanes import Usage
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.planning.prices import LanePrice, lane_prices, over_budget
from qhn.sweeps.results.lane_jobs import jobs_of, shares_of, spent_by
from qhn.sweeps.spec import InvalidSpecError
from qhn.sweeps.spec.mistakes import Finding
from qhn.sweeps.spec.parse import mistakes_in
from qhn.sweeps.store import Store


class LaneLeft(NamedTuple):
    """One lane of a sweep.

    Attributes:
        price: what is left to do.
        spent: what the sweep has used, and what is reserved for jobs that may still run.
    """

    price: LanePrice
    spent: Usage


def lanes_left(plan: Plan, store: Store, over: Collection[str]) -> tuple[LaneLeft, ...]:
    """What is left to do in each lane of a sweep, after what the store has of it.

    Args:
        plan: the plan of the sweep.
        store: where its trials and the ledgers of its lanes are.
        over: the ids of its trials that are not to be run any more.

    Raises:
        StoreError: if the store cannot be read.
    """
    prices = lane_prices(plan, over, _begun(plan, store, over))
    return tuple(LaneLeft(price, _spent(price, plan.name, store)) for price in prices)


def check_budgets(lanes: tuple[LaneLeft, ...], text: str | bytes, source: str) -> None:
    """Refuse a sweep that is expected to take more of a lane than its budget.

    Args:
        lanes: what is left to do.
        text: the text of the sweep file, from which the message takes line numbers.
        source: the name of the sweep file, for messages.

    Raises:
        InvalidSpecError: a `SpecError` that names each budget that is not enough, with its line.
    """
    findings: list[Finding] = [
        (("lanes", price.lane.name, "budget", name), message)
        for price, spent in lanes
        for name, message in over_budget(price, spent)
    ]
    if findings:
        raise InvalidSpecError(source, mistakes_in(text, source, findings))


def _begun(plan: Plan, store: Store, over: Collection[str]) -> dict[str, int]:
    """How many updates each trial of a queued device has made, of those that are not over."""
    ended = set(over)
    updates = {}
    for trial in plan.trials:
        if trial.lane is None or trial.trial_id in ended:
            continue
        try:
            state = store.checkpoint(trial.trial_id)
        except DamagedError:  # it will be set aside, and the trial begins anew
            continue
        if state is not None:
            updates[trial.trial_id] = min(state.step, trial.config.training.steps)
    return updates


def _spent(price: LanePrice, sweep: str, store: Store) -> Usage:
    return spent_by(shares_of(store, sweep, jobs_of(store, price.lane.queue)))
