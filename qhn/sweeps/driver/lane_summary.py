"""What a run has done in each lane: jobs, how many steps shared one, waits, idle time and cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qhn.lanes import Record, Usage
from qhn.sweeps.driver.lane_board import LaneBoard, LaneStanding
from qhn.sweeps.results.lane_jobs import jobs_of, shares_of, spent_by, with_steps_of
from qhn.sweeps.store import Store

#: A job's time at the provider: from its submission to its end, seconds since 1970.
Interval = tuple[float, float]


@dataclass(frozen=True)
class LaneSummary:
    """What one run of a sweep did in one lane.

    Attributes:
        name: the name of the lane in the sweep file.
        queue: the name of its queue.
        live_trials: how many of its trials could live at once; 0 if none was left to run.
        jobs: how many jobs with steps of this sweep ended in this run.
        steps: how many steps of this sweep were in them.
        coalesced: how many of these jobs had steps of more than one trial.
        failed_jobs: how many of them came to nothing.
        open_jobs: how many jobs with steps of this sweep have not ended, as far as is known.
        shots: executions of circuits that this sweep's steps used in this run.
        qpu_seconds: seconds of the processor that they used.
        cost: what they cost, in `currency`.
        currency: of all amounts of money here.
        waiting_s: the mean seconds for which a step waited for a lease; None if there was no step.
        queued_s: the mean seconds for which a step's job then waited at the provider, or None.
        executing_s: the mean seconds for which it executed, or None.
        idle_share: the share of the time between the first submission and the end of the last job
            in which fewer jobs were at the provider than the lane allows and its living trials
            could have filled; None if there was no job.
        spent: what the sweep has used of the lane in all its runs, and what is reserved.
        budget: what it may use, or None if that is not limited.
        paused: how many trials did not go on in this run, because a budget was spent.
    """

    name: str
    queue: str
    live_trials: int
    jobs: int
    steps: int
    coalesced: int
    failed_jobs: int
    open_jobs: int
    shots: int
    qpu_seconds: float
    cost: float
    currency: str
    waiting_s: float | None
    queued_s: float | None
    executing_s: float | None
    idle_share: float | None
    spent: dict[str, Any]
    budget: dict[str, Any] | None
    paused: int


def lane_summaries(
    board: LaneBoard, live: dict[str, int], store: Store, sweep: str, since: float
) -> tuple[LaneSummary, ...]:
    """What a run did in each lane.

    Args:
        board: how the lanes stand.
        live: how many trials of each lane could live at once, by its name.
        store: the store with the ledgers.
        sweep: the name of the sweep.
        since: when the run began, seconds since 1970.

    Raises:
        StoreError: if a ledger cannot be read.
    """
    paused = [board.of(trial_id) for trial_id in board.paused]
    return tuple(
        _summary(standing, live.get(name, 0), store, sweep, since, paused.count(standing))
        for name, standing in board.standings.items()
    )


def _summary(
    standing: LaneStanding, live: int, store: Store, sweep: str, since: float, paused: int
) -> LaneSummary:
    lane = standing.lane
    records = with_steps_of(store, sweep, jobs_of(store, lane.queue))
    ended = [record for record in records if record.is_over and record.at >= since]
    shares = shares_of(store, sweep, ended)
    used = spent_by(shares)
    times = [(max(since, r.stamps[0]), r.at) for r in ended if r.stamps and r.state == "done"]
    most = lane.limits.jobs_in_flight
    idle = idle_share(times, standing.alive, most, lane.limits.requests_per_job)
    return LaneSummary(
        name=lane.name,
        queue=lane.queue,
        live_trials=live,
        jobs=len(ended),
        steps=len(shares),
        coalesced=sum(len(record.members) > 1 for record in ended),
        failed_jobs=sum(record.state != "done" for record in ended),
        open_jobs=open_jobs(records),
        shots=used.shots,
        qpu_seconds=round(used.qpu_seconds, 3),
        cost=round(used.cost, 4),
        currency=lane.provider.currency,
        waiting_s=_mean_of(standing, "waiting_s"),
        queued_s=_mean_of(standing, "queued_s"),
        executing_s=_mean_of(standing, "executing_s"),
        idle_share=None if idle is None else round(idle, 4),
        spent=_rounded(spent_by(shares_of(store, sweep, records))),
        budget=None if lane.budget is None else asdict(lane.budget),
        paused=paused,
    )


def open_jobs(records: Iterable[Record]) -> int:
    """How many jobs may be at the provider still: those that are reserved or submitted."""
    return sum(not record.is_over for record in records)


def idle_share(
    jobs: Sequence[Interval], alive: Sequence[tuple[float, int]], most: int, together: int = 1
) -> float | None:
    """The share of the time in which a lane had fewer jobs at the provider than it could have had.

    Args:
        jobs: when each job was submitted and when it ended.
        alive: how many trials lived from which time on, in the order of time.
        most: the most jobs that the lane allows at once.
        together: the most trials whose steps go out in one job.

    Returns:
        A number from 0 to 1, or None if there is no time to speak of.

    Example:
        >>> idle_share([(0.0, 1.0), (3.0, 4.0)], [(0.0, 1)], most=2)
        0.5
    """
    if not jobs:
        return None
    begin, end = min(start for start, _ in jobs), max(stop for _, stop in jobs)
    if end <= begin:
        return None
    # At each moment at which something changes: by how much the jobs change, or how many live then.
    moments: list[tuple[float, int, int | None]] = [(time, 0, number) for time, number in alive]
    for start, stop in jobs:
        moments += [(start, 1, None), (stop, -1, None)]
    idle, flying, living, last = 0.0, 0, 0, begin
    for time, change, number in sorted(moments, key=lambda moment: moment[0]):
        now = min(max(time, begin), end)
        if flying < min(most, -(-living // together)):
            idle += now - last
        last = now
        flying += change
        living = living if number is None else number
    return idle / (end - begin)


def _mean_of(standing: LaneStanding, name: str) -> float | None:
    uses = [use for use in standing.uses if use.jobs]
    if not uses:
        return None
    seconds: float = sum(getattr(use, name) for use in uses)
    return round(seconds / sum(use.jobs for use in uses), 3)


def _rounded(usage: Usage) -> dict[str, Any]:
    return {
        "shots": usage.shots,
        "qpu_seconds": round(usage.qpu_seconds, 3),
        "cost": round(usage.cost, 4),
    }
