"""Runs a small job beside the store, writes what it prints, and tidies up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from qhn.core.errors import QhnError
from qhn.sweeps.jobs.commands import is_small
from qhn.sweeps.jobs.following import CLOCK, Clock, exit_code, follow
from qhn.sweeps.jobs.server import Job, JobServer

_LOOK_EVERY_S = 0.2
_ENDING_S = 10.0
_SETTLED_MS = 30_000


def ask(server: JobServer, job: Job, write: Callable[[str], None], clock: Clock = CLOCK) -> int:
    """Run a small job to its end.

    Args:
        server: the job server.
        job: the job.
        write: takes each new part of what it prints.
        clock: the time.

    Returns:
        Its exit code.

    Raises:
        RayError: if the server cannot be asked, or has no qhn.
    """
    with _handed_over(server, job, clock):
        state = follow(server, job.job_id, write, clock=clock, look_every_s=_LOOK_EVERY_S)
        return exit_code(state)


@contextmanager
def _handed_over(server: JobServer, job: Job, clock: Clock) -> Iterator[None]:
    server.submit(job)
    try:
        yield
    finally:
        # If that fails, there is a job too many in Ray's list, and nothing else.
        with suppress(QhnError):
            _tidy(server, job.job_id, clock)


def _tidy(server: JobServer, job_id: str, clock: Clock) -> None:
    """End a job that nobody waits for, and take earlier small jobs from Ray's list.

    Ray would list them for ever. A job that has just ended is left to the next call, since its
    user may not have read its end yet, and Ray still writes about it, and would list it again
    without its name.
    """
    began = clock.now()
    if not server.state(job_id).is_over:
        server.stop(job_id)
    while not server.state(job_id).is_over and clock.now() - began < _ENDING_S:
        clock.sleep(_LOOK_EVERY_S)
    newest = server.state(job_id).started_ms
    for state in server.jobs():
        last = max(state.started_ms, state.ended_ms)
        if is_small(state) and state.is_over and last < newest - _SETTLED_MS:
            server.forget(state.job_id)
