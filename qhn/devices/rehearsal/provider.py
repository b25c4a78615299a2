"""The provider behind the rehearsal device: what it does with each call.

No process runs between calls. When a job is submitted, all that will happen to it is computed and
written in one transaction; afterwards the clock says how far it is. So jobs outlive every process,
and any number of processes can ask about them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from qhn.devices.queued import JobReport, Part, Phase
from qhn.devices.rehearsal import chance, words
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.database import Database, newest
from qhn.devices.rehearsal.intake import Answer, Intake
from qhn.devices.rehearsal.parts import COLUMNS, part_of, row_of
from qhn.devices.rehearsal.words import ProviderError
from qhn.devices.submitting import check_places


class RehearsalProvider:
    """One process's connection to a provider.

    Args:
        folder: where the provider's file is, or shall be.
        access: how the provider behaves.
        clock: the time, seconds since the epoch.

    Raises:
        StoreError: if the file cannot be used.
    """

    def __init__(self, folder: Path, access: RehearsalAccess, clock: Callable[[], float]) -> None:
        self._behaviour = access.behaviour
        self._seed = access.seed
        self._intake = Intake(access)
        self._clock = clock
        self._file = Database(folder)
        self._calls = 0
        # How many sessions were over at the last call; None before the first one.
        self._session: int | None = None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def submit(self, submission: str, parts: Sequence[Part]) -> str:
        """Take a job, or refuse it. See `qhn.devices.queued.QueuedHandle.submit`."""
        rows = [row_of(part) for part in parts]
        with self._file.transaction() as db:
            now = self._clock()
            if self._session_closed(db):
                answer = Answer("session", error=words.SESSION_CLOSED)
            else:
                answer = self._intake.receive(db, submission, rows, now)
            if answer.error is not None:
                db.execute(
                    "INSERT INTO events (at, kind, submission, job_id, words) VALUES (?,?,?,?,?)",
                    (now, answer.kind, submission, answer.job_id, answer.error),
                )
        # Only now: what was written must stay although the caller gets an error.
        if answer.error is not None:
            raise ProviderError(answer.error)
        assert answer.job_id is not None
        return answer.job_id

    def find(self, submission: str) -> str | None:
        """The first job with this submission id that listings show, if this provider has any."""
        with self._file.reading() as db:
            now = self._answer_or_fail(db, "find", submission)
            if self._behaviour.submission != "findable":
                return None
            found = db.execute(
                "SELECT job_id FROM jobs WHERE submission = ? AND listed <= ? "
                "ORDER BY number LIMIT 1",
                (submission, now),
            ).fetchone()
        return None if found is None else str(found[0])

    def look(self, job_id: str) -> JobReport:
        """How a job is at this moment."""
        with self._file.reading() as db:
            now = self._answer_or_fail(db, "look", job_id)
            return self._report(db, job_id, now)

    def parts(self, job_id: str, places: Sequence[int] | None = None) -> list[Part]:
        """The parts of a job that is done.

        Args:
            job_id: the id of the job.
            places: the numbers of the wanted parts, from 0 on; None means all, in their order.

        Raises:
            InvalidValueError: if the job has no part of such a number.
            ProviderError: if it is not done, or has failed.
        """
        with self._file.reading() as db:
            now = self._answer_or_fail(db, "fetch", job_id)
            report = self._report(db, job_id, now)
            if report.phase == "failed":
                raise ProviderError(words.has_failed(job_id, report.why))
            if report.phase != "done":
                raise ProviderError(words.not_done(job_id, report.phase))
            rows = db.execute(
                f"SELECT {COLUMNS} FROM parts "
                "WHERE job = (SELECT number FROM jobs WHERE job_id = ?) ORDER BY place",
                (job_id,),
            ).fetchall()
        if places is None:
            return [part_of(row) for row in rows]
        check_places(job_id, places, len(rows))
        # Only these are made of their rows: to unpack the angles takes longer than to read them.
        return [part_of(rows[place]) for place in places]

    def _report(self, db: sqlite3.Connection, job_id: str, now: float) -> JobReport:
        row = db.execute(
            "SELECT submitted, starts, ends, failure, shots, qpu_seconds "
            "FROM jobs WHERE job_id = ?",
            (job_id,),
        ).fetchone()
        if row is None:
            raise ProviderError(words.unknown_job(job_id))
        submitted, starts, ends, failure, shots, seconds = row
        if now < ends:
            phase: Phase = "queued" if now < starts else "running"
            return JobReport(phase)
        return JobReport(
            phase="done" if failure is None else "failed",
            why=failure or "",
            shots=shots,
            qpu_seconds=seconds,
            queued_s=starts - submitted,
            executing_s=ends - starts,
        )

    def _answer_or_fail(self, db: sqlite3.Connection, call: str, about: str) -> float:
        """The time, unless this call is one of those that fail."""
        now = self._clock()
        if self._session_closed(db):
            raise ProviderError(words.SESSION_CLOSED)
        # Nothing is written for a question, so that what decides is the moment and the call's
        # number: a process that starts again does not meet the same failure again.
        self._calls += 1
        which = (call, about, now, self._calls)
        if chance.happens(self._behaviour.transient_rate, self._seed, "poll", *which):
            said = words.NOTHING_ARRIVED + words.ANSWER_LOST
            raise ProviderError(chance.one_of(said, self._seed, "poll", *which))
        return now

    def _session_closed(self, db: sqlite3.Connection) -> bool:
        """Whether the session of the last call is over; a new one is opened then."""
        if self._behaviour.session_jobs is None:
            return False
        before, self._session = self._session, newest(db) // self._behaviour.session_jobs
        return before is not None and before != self._session
