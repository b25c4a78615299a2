"""What happened at a rehearsal device, read from its file: the witness of tests and benchmarks.

It is not for training: a real provider tells nobody so much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from qhn.core.errors import NotFoundError
from qhn.devices.rehearsal.database import FILE, Database
from qhn.devices.rehearsal.timeline import Timeline

#: Kinds of events that are refusals: the caller broke a rule of the provider.
REFUSALS = ("pending", "rate", "parts", "executions", "content")


@dataclass(frozen=True)
class Step:
    """A part of a job.

    Attributes:
        trial: the id of the trial.
        seed: its seed.
        step: the step of its training.
        sets: how many sets of angles.
        shots: how often each is run.
    """

    trial: str
    seed: int
    step: int
    sets: int
    shots: int


@dataclass(frozen=True)
class Job:
    """A job that was accepted. Times are seconds since the epoch, by the clock of the handles.

    Attributes:
        number: its place in the order of submission, from 1 on.
        job_id: the provider's id.
        submission: the submission id.
        submitted: when it was accepted.
        ready: when its queue time was over.
        starts: when it starts to execute.
        ends: when it ends.
        failure: the provider's words if it fails, or None.
        executions: sets times shots, over all parts.
        shots: executions that are billed.
        qpu_seconds: seconds of the provider's processor that are billed.
        cost: its price.
        steps: its parts, in their order.
    """

    number: int
    job_id: str
    submission: str
    submitted: float
    ready: float
    starts: float
    ends: float
    failure: str | None
    executions: int
    shots: int
    qpu_seconds: float
    cost: float
    steps: tuple[Step, ...]


# The columns of the table `jobs` have the names of the fields, all but the last.
_COLUMNS = [field.name for field in fields(Job) if field.name != "steps"]


@dataclass(frozen=True)
class Event:
    """A submission that got no job id in reply.

    Attributes:
        at: when.
        kind: a rule that was broken (one of `REFUSALS`), or what happened by chance: ``session``,
            ``transient``, ``timeout``, or ``timeout, accepted`` if there is a job nevertheless.
        submission: the submission id.
        job_id: the job, if there is one.
        words: what the caller was told.
    """

    at: float
    kind: str
    submission: str
    job_id: str | None
    words: str


class Record:
    """Reads the file of a rehearsal device, also while others use it.

    Args:
        folder: the folder of the device; see `RehearsalAccess.folder`.

    It is a context manager, which closes the file at the end.

    Raises:
        NotFoundError: if there is no such file.
        StoreError: if it cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        place = Path(folder)
        if not (place / FILE).is_file():
            raise NotFoundError(
                f"a rehearsal device must have been used in {place}, but it has no {FILE}"
            )
        self._file = Database(place)

    def close(self) -> None:
        """Close the file. It may be called more than once."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def jobs(self) -> list[Job]:
        """All jobs in the order of submission."""
        return list(self._jobs())

    def events(self) -> list[Event]:
        """All submissions that got no job id in reply, the oldest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT at, kind, submission, job_id, words FROM events ORDER BY number"
            ).fetchall()
        return [Event(*row) for row in rows]

    def refusals(self) -> list[Event]:
        """The events in which a caller broke a rule: too many jobs, too often, too large."""
        return [event for event in self.events() if event.kind in REFUSALS]

    def paid_twice(self) -> dict[tuple[str, str, int], list[str]]:
        """The steps that were billed in more than one job.

        Returns:
            The submission ids of these jobs by (store, trial, step). The store is the one that the
            first submission ids name, empty for ids that are not qhn's: two stores may train the
            same trial, and pay for it each.
        """
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT store, trial, step, submission FROM parts "
                "JOIN jobs ON jobs.number = parts.job WHERE failure IS NULL ORDER BY number"
            ).fetchall()
        paid: dict[tuple[str, str, int], list[str]] = {}
        for store, trial, step, submission in rows:
            paid.setdefault((store, trial, step), []).append(submission)
        return {step: jobs for step, jobs in paid.items() if len(jobs) > 1}

    def timeline(self) -> Timeline:
        """How many jobs were at the provider, and whether the processor worked, at any time."""
        with self._file.reading() as db:
            rows = db.execute("SELECT submitted, starts, ends FROM jobs").fetchall()
        return Timeline(rows)

    def most_pending(self) -> int:
        """The most jobs that ever were at the provider at once, waiting or executing."""
        return self.timeline().most_pending()

    def idle_share(self, begin: float, end: float) -> float:
        """The share of the time between two moments in which the processor did not work."""
        return self.timeline().idle_share(begin, end)

    def _jobs(self) -> Iterator[Job]:
        with self._file.reading() as db:
            jobs = db.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs ORDER BY number").fetchall()
            # A job and its parts are written at once, and jobs never go away.
            parts = db.execute(
                "SELECT job, trial, seed, step, sets, shots FROM parts ORDER BY job, place"
            ).fetchall()
        steps: dict[int, list[Step]] = {}
        for job, trial, seed, step, sets, shots in parts:
            steps.setdefault(job, []).append(Step(trial, int(seed), step, sets, shots))
        for row in jobs:
            found = dict(zip(_COLUMNS, row, strict=True))
            yield Job(**found, steps=tuple(steps[found["number"]]))
