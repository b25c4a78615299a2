"""Hands a sweep over to a job server, and ends one that Ray itself has to end."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from qhn.core.errors import NotFoundError, RayError
from qhn.sweeps.jobs.commands import PATIENCE_S, Options, is_run_of, run_job
from qhn.sweeps.jobs.following import CLOCK, Clock, follow
from qhn.sweeps.jobs.server import JobServer, JobState

# The phases of a sweep, at the beginning of a line, in which everything was checked before.
_BEGUN = re.compile(r"^(starting trials|training|writing to MLflow)\b", re.MULTILINE)
_LOOK_EVERY_S = 0.5
_LONGEST_START_S = 90.0
# How long a job that is not run by a driver may take to end by itself, and after Ray's stop.
_ENDING_S = 5.0
_STOPPING_S = PATIENCE_S + 10.0


def submit(server: JobServer, name: str, content: bytes, options: Options) -> str:
    """Hand over a sweep.

    The text of the file travels as the working directory of the job, so that it may be long, and
    that it is neither among the arguments of processes nor in the dashboard.

    Args:
        server: the job server.
        name: the name of the sweep.
        content: the content of its file, which was checked.
        options: how to run it.

    Returns:
        The submission id of the job.

    Raises:
        InvalidValueError: if an address in the options must not travel with a job.
        RayError: if a job runs this sweep already, or the server cannot be asked.
    """
    with TemporaryDirectory(prefix="qhn-submit-") as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_bytes(content)
        job = run_job(name, file, options)
        for other in runs_of(server, name, options.store):
            if not other.is_over:
                where = f"{name} --address {server.address}"
                raise RayError(
                    f"one job at a time may run sweep {name!r}, but {other.job_id} runs it; follow "
                    f"it with `qhn sweep logs {where} --follow`, or end it with `qhn sweep stop "
                    f"{where}`"
                )
        server.submit(job)
    return job.job_id


def runs_of(server: JobServer, name: str, store: str | None) -> list[JobState]:
    """The jobs that run or have run a sweep, in a store if one is named, the newest first."""
    found = [state for state in server.jobs() if is_run_of(state, name, store)]
    return sorted(found, key=lambda state: state.started_ms, reverse=True)


def wait_for_start(server: JobServer, job_id: str, clock: Clock = CLOCK) -> tuple[JobState, str]:
    """Wait until a submitted sweep has passed all checks on the cluster, or is over.

    Returns:
        How its job stands then, and what it has printed. If it takes long, for example because a
        machine compiles the engine first, it may still be about to begin.

    Raises:
        RayError: if the server does not answer for a minute.
    """
    printed: list[str] = []
    began = clock.now()

    def enough(text: str) -> bool:
        return has_begun(text) or clock.now() - began > _LONGEST_START_S

    state = follow(
        server, job_id, printed.append, enough=enough, clock=clock, look_every_s=_LOOK_EVERY_S
    )
    return state, "".join(printed)


def has_begun(text: str) -> bool:
    """Whether a sweep that has printed this has passed all checks."""
    return _BEGUN.search(text) is not None


def end_runs(server: JobServer, name: str, store: str | None, clock: Clock = CLOCK) -> list[str]:
    """End the jobs of a sweep that no driver runs any more, or not yet.

    A driver that has just drained gets the time to print its end. What is left then has not begun
    to train, and is stopped by Ray's own means. If it begins meanwhile, this drains it as well.

    Returns:
        The jobs that Ray was asked to stop.

    Raises:
        RayError: if the server cannot be asked.
    """
    left = [state.job_id for state in runs_of(server, name, store) if not state.is_over]
    stopped = left = _not_over(server, left, _ENDING_S, clock)
    for job_id in left:
        server.stop(job_id)
    _not_over(server, left, _STOPPING_S, clock)
    return stopped


def _not_over(server: JobServer, jobs: list[str], wait_s: float, clock: Clock) -> list[str]:
    """Wait until jobs are over, and return those that are not in time."""
    began = clock.now()
    while jobs := [job_id for job_id in jobs if not _is_over(server, job_id)]:
        if clock.now() - began >= wait_s:
            break
        clock.sleep(_LOOK_EVERY_S)
    return jobs


def _is_over(server: JobServer, job_id: str) -> bool:
    with suppress(NotFoundError):
        return server.state(job_id).is_over
    return True
