"""Prints what a run did in the lanes of queued devices."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from qhn.cli.tables import Column, print_columns, print_words
from qhn.cli.words import counted, duration
from qhn.sweeps.driver.lane_summary import LaneSummary
from qhn.sweeps.planning.prices import amount_text


def print_lane_summaries(console: Console, lanes: Sequence[LaneSummary]) -> None:
    """Print a table with a line for each lane, and what is left at the providers."""
    if not lanes:
        return
    print_columns(
        console,
        [
            Column("lane", [lane.name for lane in lanes], is_text=True),
            Column("jobs", [f"{lane.jobs:,}" for lane in lanes]),
            Column("of several\ntrials", [f"{lane.coalesced:,}" for lane in lanes], "coalesced"),
            Column("steps", [f"{lane.steps:,}" for lane in lanes]),
            Column("shots", [f"{lane.shots:,}" for lane in lanes], "shots"),
            Column("QPU time", [duration(lane.qpu_seconds) for lane in lanes]),
            Column("cost", [f"{amount_text(lane.cost)} {lane.currency}" for lane in lanes]),
            Column("mean wait\nfor a lease", [_s(lane.waiting_s) for lane in lanes], "waiting"),
            Column("in the\nqueue", [_s(lane.queued_s) for lane in lanes], "queued"),
            Column("executing", [_s(lane.executing_s) for lane in lanes], "executing"),
            Column("idle", [_share(lane.idle_share) for lane in lanes], "idle"),
        ],
    )
    for lane in lanes:
        if lane.open_jobs:
            print_words(
                console,
                f"lane {lane.name}: {counted(lane.open_jobs, 'job')} may still be at the provider; "
                "the next run of the sweep takes up what is there, and pays for nothing twice",
            )


def _s(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:,.1f} s"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}%"
