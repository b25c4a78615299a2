"""What the record of a rehearsal QPU says about lanes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from qhn.devices.rehearsal.record import Job, Record


def jobs_of(folder: Path) -> list[Job]:
    """All jobs of a processor, in the order of submission."""
    with Record(folder) as record:
        return record.jobs()


def most_at_once(jobs: Sequence[Job]) -> int:
    """The most jobs that were at the provider at the same time."""
    return max(count for _, count in _running_counts([(job.submitted, job.ends) for job in jobs]))


def idle_share(jobs: Sequence[Job], in_flight: int) -> float:
    """The share of the time with fewer jobs at the provider than there should be.

    There should be J, or as many as there are trials that have not had their last job, if these are
    fewer. A trial that computes between two jobs counts as one that wants a job. The time goes from
    the first submission to the end of the last job.

    Args:
        jobs: all jobs, with one trial in each.
        in_flight: J.
    """
    last: dict[str, float] = {}
    for job in jobs:
        for step in job.steps:
            last[step.trial] = max(last.get(step.trial, 0.0), job.ends)
    changes = [(job.submitted, 1, 0) for job in jobs] + [(job.ends, -1, 0) for job in jobs]
    changes += [(end, 0, -1) for end in last.values()]
    begin, end = min(job.submitted for job in jobs), max(job.ends for job in jobs)
    at_provider, unfinished, below, since = 0, len(last), 0.0, begin
    for moment, jobs_more, trials_more in sorted(changes):
        if at_provider < min(in_flight, unfinished):
            below += moment - since
        at_provider, unfinished, since = at_provider + jobs_more, unfinished + trials_more, moment
    return below / (end - begin)


def refill_s(jobs: Sequence[Job], in_flight: int) -> list[float]:
    """How long each place stayed empty: from the end of a job to the next submission."""
    ends = sorted(job.ends for job in jobs)
    later = sorted(job.submitted for job in jobs)[in_flight:]
    return [submitted - ended for ended, submitted in zip(ends, later, strict=False)]


def qpu_seconds(jobs: Sequence[Job], trials: Collection[str], until: float) -> float:
    """The processor's seconds that some trials were given by jobs that ended before a moment."""
    given = 0.0
    for job in jobs:
        if job.ends <= until:
            ours = sum(step.sets * step.shots for step in job.steps if step.trial in trials)
            given += job.qpu_seconds * ours / job.executions
    return given


def span(jobs: Sequence[Job]) -> float:
    """Seconds from the first submission to the end of the last job."""
    return max(job.ends for job in jobs) - min(job.submitted for job in jobs)


def _running_counts(intervals: Sequence[tuple[float, float]]) -> list[tuple[float, int]]:
    changes = sorted([(begin, 1) for begin, _ in intervals] + [(end, -1) for _, end in intervals])
    counts, count = [], 0
    for moment, change in changes:
        count += change
        counts.append((moment, count))
    return counts
