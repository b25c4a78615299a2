"""The provider behind the rehearsal device: what it does with each call.

No process runs between calls. When a job is submitted, all that will happen to it is computed and
written in one transaction; afterwards the clock says how far it is. So jobs outlive every process,
and any number of processes can ask about them.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qhn.core.errors import InvalidValueError
from qhn.devices.queued import JobReport, Part, Phase
from qhn.devices.rehearsal import chance, words
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.database import Database
from qhn.devices.rehearsal.parts import COLUMNS, Row, digest, part_of, row_of
from qhn.devices.rehearsal.schedule import Slot, schedule
from qhn.devices.rehearsal.words import ProviderError

_SUBMISSION = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True)
class _Answer:
    """What comes of a submission: a job, an error, or both if only the answer was lost."""

    kind: str
    job_id: str | None = None
    error: str | None = None


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
        self._expected = access.provider
        self._seed = access.seed
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
        if not _SUBMISSION.fullmatch(submission):
            raise InvalidValueError(
                "a submission id must be 1 to 64 letters, digits and hyphens, "
                f"but got {submission!r}"
            )
        rows = [row_of(part) for part in parts]
        with self._file.transaction() as db:
            now = self._clock()
            answer = self._receive(db, submission, rows, now)
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

    def parts(self, job_id: str) -> list[Part]:
        """The parts of a job that is done, in their order.

        Raises:
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
        return [part_of(row) for row in rows]

    def _receive(
        self, db: sqlite3.Connection, submission: str, rows: Sequence[Row], now: float
    ) -> _Answer:
        behaviour, seed = self._behaviour, self._seed
        # With the number of the try, a repeated submission meets luck of its own.
        tries = db.execute(
            "INSERT INTO tries VALUES (?, 1) "
            "ON CONFLICT (submission) DO UPDATE SET count = count + 1 RETURNING count",
            (submission,),
        ).fetchone()[0]
        if self._session_closed(db):
            return _Answer("session", error=words.SESSION_CLOSED)
        which = (submission, tries)
        if chance.happens(behaviour.transient_rate, seed, "transient", *which):
            said = chance.one_of(words.NOTHING_ARRIVED, seed, "transient", *which)
            return _Answer("transient", error=said)
        if not chance.happens(behaviour.timeout_rate, seed, "timeout", *which):
            return self._accept(db, submission, tries, rows, now)
        said = chance.one_of(words.ANSWER_LOST, seed, "timeout", *which)
        if not chance.happens(behaviour.timeout_accepted, seed, "accepted", *which):
            return _Answer("timeout", error=said)
        answer = self._accept(db, submission, tries, rows, now)
        if answer.error is not None:
            return answer
        return _Answer("timeout, accepted", answer.job_id, said)

    def _accept(
        self, db: sqlite3.Connection, submission: str, tries: int, rows: Sequence[Row], now: float
    ) -> _Answer:
        behaviour, speedup = self._behaviour, self._expected.speedup
        content = digest(rows)
        if behaviour.submission == "idempotent":
            known = db.execute(
                "SELECT job_id, content FROM jobs WHERE submission = ?", (submission,)
            ).fetchone()
            if known is not None:
                same = known[1] == content
                error = None if same else words.other_content(submission)
                return _Answer("repeated" if same else "content", known[0], error)
        executions = sum(shots * sets for _, _, _, shots, sets, _, _ in rows)
        under_way = [
            Slot(*row)
            for row in db.execute(
                "SELECT number, ready, starts, ends FROM jobs WHERE ends > ?", (now,)
            )
        ]
        if refused := self._refusal(db, len(rows), executions, len(under_way), now):
            return refused
        which = (submission, tries)
        wait_s = chance.queue_time(behaviour.queue_s, behaviour.queue_spread, self._seed, *which)
        seconds = self._expected.qpu_seconds(executions)
        number = self._jobs(db) + 1
        plan = schedule(under_way, number, now + wait_s / speedup, seconds / speedup, now)
        db.executemany(
            "UPDATE jobs SET starts = ?, ends = ? WHERE number = ?",
            [(slot.starts, slot.ends, slot.number) for slot in plan.moved],
        )
        failure = None
        if chance.happens(behaviour.failure_rate, self._seed, "failure", *which):
            failure = chance.one_of(words.JOB_FAILED, self._seed, "failure", *which)
        # A job that fails at the provider is not billed, although it took the processor's time.
        shots, billed = (executions, seconds) if failure is None else (0, 0.0)
        cost = self._expected.cost(shots, billed) if failure is None else 0.0
        name = hashlib.sha256(f"{self._seed} {number} {submission}".encode()).hexdigest()[:10]
        job_id = f"rehearsal-{number}-{name}"
        db.execute(
            "INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                number,
                job_id,
                submission,
                _store_of(submission),
                content,
                now,
                now + behaviour.listing_lag_s / speedup,
                plan.slot.ready,
                plan.slot.starts,
                plan.slot.ends,
                failure,
                executions,
                shots,
                billed,
                cost,
            ),
        )
        db.executemany(
            f"INSERT INTO parts (job, place, {COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",
            [(number, place, *row) for place, row in enumerate(rows)],
        )
        return _Answer("accepted", job_id)

    def _refusal(
        self, db: sqlite3.Connection, parts: int, executions: int, pending: int, now: float
    ) -> _Answer | None:
        behaviour = self._behaviour
        if parts > behaviour.parts_per_job:
            said = words.too_large("parts", parts, behaviour.parts_per_job)
            return _Answer("parts", error=said)
        most = behaviour.executions_per_job
        if most is not None and executions > most:
            return _Answer("executions", error=words.too_large("executions", executions, most))
        most = behaviour.pending
        if most is not None and pending >= most:
            return _Answer("pending", error=words.too_many_pending(most))
        most = behaviour.submissions_per_minute
        if most is not None:
            lately = db.execute(
                "SELECT count(*) FROM jobs WHERE submitted > ?", (now - self._expected.minute_s,)
            ).fetchone()[0]
            if lately >= most:
                return _Answer("rate", error=words.too_many_submissions(most))
        return None

    def _report(self, db: sqlite3.Connection, job_id: str, now: float) -> JobReport:
        row = db.execute(
            "SELECT ready, submitted, starts, ends, failure, shots, qpu_seconds "
            "FROM jobs WHERE job_id = ?",
            (job_id,),
        ).fetchone()
        if row is None:
            raise ProviderError(words.unknown_job(job_id))
        _, submitted, starts, ends, failure, shots, seconds = row
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
        before, self._session = self._session, self._jobs(db) // self._behaviour.session_jobs
        return before is not None and before != self._session

    def _jobs(self, db: sqlite3.Connection) -> int:
        # The largest number is found at once, while counting would read all rows.
        return int(db.execute("SELECT coalesce(max(number), 0) FROM jobs").fetchone()[0])


def _store_of(submission: str) -> str:
    """The store that a submission id of qhn names; empty for other ids."""
    parts = submission.split("-")
    return parts[1] if len(parts) == 5 and parts[0] == "qhn" else ""
