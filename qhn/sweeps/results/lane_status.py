"""How the lanes of all sweeps in a store stand, and which jobs they had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from qhn.core.errors import NotFoundError, QhnError
from qhn.lanes import Budget, Record, Submission, Usage
from qhn.lanes.amounts import total
from qhn.sweeps.planning.lanes import PlannedLane
from qhn.sweeps.results.lane_jobs import (
    jobs_of,
    queues,
    shares_of,
    spent_by,
    sweeps_in,
    with_steps_of,
)
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.store import Store


@dataclass(frozen=True)
class LaneStatus:
    """How a lane stands in one sweep.

    Attributes:
        lane: the name of the lane in the sweep file; None if the file does not have it any more.
        sweep: the name of the sweep.
        queue: the name of its queue.
        is_run: whether a driver runs the sweep now.
        states: how many of its living trials are in each state; see `LaneUse`.
        paused: how many trials do not go on until a budget is raised.
        jobs: how many jobs it had, those that are open included.
        open_jobs: how many of them have not ended, as far as is known.
        spent: what it has used, and what is reserved for open jobs.
        budget: what it may use, or None.
        currency: of the amounts of money.
        notes: why trials wait, in the provider's words.
    """

    lane: str | None
    sweep: str
    queue: str
    is_run: bool
    states: Mapping[str, int]
    paused: int
    jobs: int
    open_jobs: int
    spent: Usage
    budget: Budget | None
    currency: str
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The line as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class JobLine:
    """One job of a queue.

    Attributes:
        submission: the id under which it was submitted.
        job_id: the provider's name for it; None if that is not known.
        state: ``reserved``, ``submitted``, ``done``, ``failed`` or ``abandoned``.
        sweeps: the names of the sweeps whose steps are in it.
        trials: the ids of the trials whose steps are in it.
        steps: their steps, in the same order.
        used: what it used; if it has not ended, what is reserved for it.
        submitted_at: when it was submitted first, as ISO 8601 text; None if that is not known.
        why: why it failed or was given up.
    """

    submission: str
    job_id: str | None
    state: str
    sweeps: tuple[str, ...]
    trials: tuple[str, ...]
    steps: tuple[int, ...]
    used: Usage
    submitted_at: str | None
    why: str = ""
    is_over: bool = field(default=False)

    def as_json(self) -> dict[str, Any]:
        """The job as JSON values. What is only reserved stands under ``reserved``."""
        fields = asdict(self)
        amounts = fields.pop("used")
        return {**fields, **({"reserved": amounts} if not self.is_over else amounts)}


def lane_status(store: Store) -> list[LaneStatus]:
    """How each lane of each sweep stands, by queue and sweep.

    Raises:
        StoreError: if the store cannot be read.
    """
    found = []
    jobs = {queue: jobs_of(store, queue) for queue in queues(store)}
    for sweep in store.sweeps():
        lanes = _lanes(store, sweep.name)
        kept, is_run = sweep.lanes(), sweep.lock.holder() is not None
        standings = kept.get("lanes", {})
        by_queue = {lane.queue: lane for lane in lanes}
        for queue in sorted({*by_queue, *jobs}):
            mine = with_steps_of(store, sweep.name, jobs.get(queue, ()))
            lane = by_queue.get(queue)
            if not mine and lane is None:
                continue
            standing = standings.get(lane.name, {}) if lane is not None else {}
            found.append(
                LaneStatus(
                    lane=None if lane is None else lane.name,
                    sweep=sweep.name,
                    queue=queue,
                    is_run=is_run,
                    states=standing.get("states", {}) if is_run else {},
                    paused=int(standing.get("paused", 0)),
                    jobs=len(mine),
                    open_jobs=sum(not record.is_over for record in mine),
                    spent=spent_by(shares_of(store, sweep.name, mine)),
                    budget=None if lane is None else lane.budget,
                    currency="USD" if lane is None else lane.provider.currency,
                    notes=tuple(standing.get("notes", ())) if is_run else (),
                )
            )
    return found


def job_lines(store: Store, queue: str, sweep: str | None = None) -> list[JobLine]:
    """The jobs of a queue, those that were submitted first come first.

    Args:
        store: where the ledger of the queue is.
        queue: the name of the queue.
        sweep: only jobs with steps of this sweep; None for all jobs.

    Raises:
        StoreError: if the ledger cannot be read.
    """
    lines = [_line(record) for record in jobs_of(store, queue)]
    return [line for line in lines if sweep is None or sweep in line.sweeps]


class Named(NamedTuple):
    """What a name means: a queue, and the one sweep whose jobs are meant, if it is not all."""

    queue: str
    sweep: str | None = None


def find_queue(store: Store, name: str) -> Named:
    """The queue that a name means: its own name, or that of a lane or a sweep in the store.

    A name that belongs to several of them means the queue first, then the lane, then the sweep.

    Raises:
        NotFoundError: if there is none, or if the lane or the sweep has several queues.
    """
    known = queues(store)
    if name in known:
        return Named(name)
    lanes = [(sweep.name, lane) for sweep in store.sweeps() for lane in _lanes(store, sweep.name)]
    for kind, sweep, meant in (
        ("lane", None, {lane.queue for _, lane in lanes if lane.name == name}),
        ("sweep", name, {lane.queue for sweep, lane in lanes if sweep == name}),
    ):
        if len(meant) == 1:
            return Named(meant.pop(), sweep)
        if meant:
            raise NotFoundError(
                f"the name of a {kind} must mean one queue, but {name!r} means "
                f"{', '.join(sorted(meant))}; give the name of the queue"
            )
    there = ", ".join(sorted({*known, *(lane.name for _, lane in lanes)})) or "none"
    raise NotFoundError(
        f"no lane, queue or sweep with jobs is called {name!r} in the store {store.shown}; "
        f"the lanes and queues there are: {there}"
    )


def _lanes(store: Store, sweep: str) -> tuple[PlannedLane, ...]:
    try:
        return stored_plan(store.sweep(sweep)).lanes
    except QhnError:  # another version of qhn has written the file, or it is damaged
        return ()


def _line(record: Record) -> JobLine:
    begun = record.stamps[0] if record.stamps else None
    at = None if begun is None else datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds")
    return JobLine(
        submission=record.submission,
        job_id=record.job_id,
        state=record.state,
        sweeps=tuple(sweeps_in(record)),
        trials=tuple(share.trial for share in record.members),
        steps=tuple(Submission.parse(share.submission).step for share in record.members),
        used=record.used if record.is_over else total(share.wanted for share in record.members),
        submitted_at=at,
        why=record.why,
        is_over=record.is_over,
    )
