"""Shows what the lanes of queued devices take: jobs, shots, seconds, money and days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from qhn.cli.lane_words import budget_text
from qhn.cli.tables import Column, print_columns, print_words
from qhn.cli.words import counted, duration
from qhn.lanes import Usage
from qhn.sweeps.planning.prices import LanePrice, amount_text
from qhn.sweeps.results.left import LaneLeft


def print_lanes(console: Console, lanes: Sequence[LaneLeft]) -> None:
    """Print a table of lanes with what is left to do in each, and below it what each may do."""
    if not lanes:
        return
    prices = [lane.price for lane in lanes]
    print_columns(
        console,
        [
            Column("lane", [price.lane.name for price in prices], is_text=True),
            Column("trials\nleft", [f"{price.trials:,}" for price in prices]),
            Column("steps", [f"{price.evaluations:,}" for price in prices], "steps"),
            Column("circuits", [f"{price.circuits:,}" for price in prices], "circuits"),
            Column("shots", [f"{price.expected.shots:,}" for price in prices]),
            Column("jobs\nabout", [f"{price.jobs:,}" for price in prices]),
            Column("QPU time", [duration(price.expected.qpu_seconds) for price in prices]),
            Column("cost", [_money(price, price.expected.cost) for price in prices]),
            Column("takes\nabout", [_time(price) for price in prices]),
        ],
    )
    for price, spent in lanes:
        print_words(console, _words(price, spent))


def lanes_json(lanes: Sequence[LaneLeft]) -> list[dict[str, Any]]:
    """What is left to do in each lane, as JSON values. Seconds, and money in ``currency``."""
    return [
        {
            "name": price.lane.name,
            "devices": list(price.lane.labels),
            "queue": price.lane.queue,
            "trials": price.trials,
            "steps": price.evaluations,
            "circuits": price.circuits,
            "shots": price.expected.shots,
            "jobs": price.jobs,
            "qpu_seconds": price.expected.qpu_seconds,
            "cost": price.expected.cost,
            "most_cost": price.separately.cost,
            "currency": price.lane.provider.currency,
            "days": price.days,
            "held_up_by": price.held_up_by,
            "limits": asdict(price.lane.limits),
            "live_trials": price.lane.live_trials,
            "budget": None if price.lane.budget is None else asdict(price.lane.budget),
            "spent": asdict(spent),
        }
        for price, spent in lanes
    ]


def _words(price: LanePrice, spent: Usage) -> str:
    lane, limits = price.lane, price.lane.limits
    rules = [f"{counted(limits.jobs_in_flight, 'job')} in flight"]
    if limits.submissions_per_minute is not None:
        rules.append(f"{counted(limits.submissions_per_minute, 'submission')} a minute")
    if limits.requests_per_job > 1:
        rules.append(f"up to {limits.requests_per_job} steps of different trials in a job")
    rules.append(f"{counted(lane.live_trials, 'trial')} at once")
    text = f"lane {lane.name} ({', '.join(lane.labels)}): {', '.join(rules)}"
    if price.jobs:
        text += f"; held up by {price.held_up_by}"
    text += f"; {budget_text(lane.budget, lane.provider.currency)}"
    if price.separately.cost > price.expected.cost:
        most = _money(price, price.separately.cost)
        text += f"; {most} if every step is a job of its own"
    if spent != Usage():
        text += f"; {_money(price, spent.cost)} and {duration(spent.qpu_seconds)} were used before"
    return text


def _money(price: LanePrice, amount: float) -> str:
    return f"{amount_text(amount)} {price.lane.provider.currency}"


def _time(price: LanePrice) -> str:
    if price.days < 1:
        return duration(price.seconds)
    return f"{price.days:,.0f} days" if price.days >= 10 else f"{price.days:.1f} days"
