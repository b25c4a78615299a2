"""When the jobs of one processor execute: a pure function of what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Slot(NamedTuple):
    """A job that has not ended. Times are seconds since the epoch.

    Attributes:
        number: which job it is, in the order of submission.
        ready: when it has waited for its queue time, and the processor is asked for it.
        starts: when it starts to execute, as it is known so far.
        ends: when it ends.
    """

    number: int
    ready: float
    starts: float
    ends: float


@dataclass(frozen=True)
class Schedule:
    """Where a new job finds its place.

    Attributes:
        slot: the new job.
        moved: the jobs that start later because the new job was ready before them.
    """

    slot: Slot
    moved: tuple[Slot, ...]


def schedule(
    under_way: Iterable[Slot], number: int, ready: float, takes: float, now: float
) -> Schedule:
    """Place a job that is submitted now: the processor serves jobs in the order they are ready in.

    Queue times differ, so that a job may overtake one that was submitted before it. A job that
    executes stays where it is. Nobody has seen the start of a job that still waits, so that it may
    change.

    Args:
        under_way: the jobs that have not ended.
        number: the number of the new job.
        ready: when its queue time is over, not before now.
        takes: how long it executes, seconds.
        now: the time.
    """
    placed: Slot | None = None
    moved: list[Slot] = []
    free = now
    waiting = []
    for slot in under_way:
        if slot.starts <= now:
            free = max(free, slot.ends)
        else:
            waiting.append(slot)
    waiting.append(Slot(number, ready, ready, ready + takes))
    for slot in sorted(waiting, key=lambda slot: (slot.ready, slot.number)):
        starts = max(slot.ready, free)
        free = starts + (slot.ends - slot.starts)
        if slot.number == number:
            placed = slot._replace(starts=starts, ends=free)
        elif starts != slot.starts:
            moved.append(slot._replace(starts=starts, ends=free))
    assert placed is not None
    return Schedule(placed, tuple(moved))
