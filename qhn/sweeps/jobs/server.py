"""What is asked of a job server, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_OVER = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Job:
    """A command for the job server. All of it is shown in Ray's dashboard.

    Attributes:
        job_id: its submission id, unique in the cluster.
        command: one line for the shell, run on the head of the cluster.
        about: what the job is, as names and values, by which it is found again.
        folder: a folder whose content becomes the working directory of the command, or None.
        patience_s: how many seconds the command may take to end after a person has stopped it with
            Ray's own means.
    """

    job_id: str
    command: str
    about: Mapping[str, str]
    folder: Path | None = None
    patience_s: int = 3


@dataclass(frozen=True)
class JobState:
    """How a job stands.

    Attributes:
        job_id: its submission id.
        status: Ray's word: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        exit_code: the exit code of its command, None as long as there is none.
        message: what Ray says about the status.
        about: what the job is, see `Job.about`.
        started_ms: when it was submitted, as milliseconds since 1970.
        ended_ms: when it ended; 0 if it has not, or Ray does not say.
    """

    job_id: str
    status: str
    exit_code: int | None = None
    message: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    started_ms: int = 0
    ended_ms: int = 0

    @property
    def is_over(self) -> bool:
        """Whether its command has ended, or will never begin."""
        return self.status in _OVER


class JobServer(Protocol):
    """Runs jobs on the head of a cluster. Every method raises a `RayError` if it cannot."""

    @property
    def address(self) -> str:
        """Its address, as ``http://HOST:PORT``."""
        ...

    def submit(self, job: Job) -> None:
        """Hand over a job, which begins soon."""
        ...

    def state(self, job_id: str) -> JobState:
        """How a job stands."""
        ...

    def jobs(self) -> list[JobState]:
        """All jobs that were handed over and not forgotten."""
        ...

    def output(self, job_id: str) -> str:
        """All that a job has printed so far, after some lines of Ray's own."""
        ...

    def stop(self, job_id: str) -> None:
        """Ask a job to stop. Ray kills it when its `Job.patience_s` is over."""
        ...

    def forget(self, job_id: str) -> None:
        """Take a job that is over from the list."""
        ...
