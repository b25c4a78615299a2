"""What the provider does with a submission, from the first check to the written job."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from qhn.devices.rehearsal import chance, words
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.database import newest
from qhn.devices.rehearsal.parts import COLUMNS, Row, digest, executions_of
from qhn.devices.rehearsal.schedule import Slot, schedule


@dataclass(frozen=True)
class Answer:
    """What comes of a submission: a job, an error, or both if only the answer was lost.

    Attributes:
        kind: what happened, as `qhn.devices.rehearsal.record.Event` has it.
        job_id: the job; None if there is none.
        error: what the caller is told in place of the job's id.
    """

    kind: str
    job_id: str | None = None
    error: str | None = None


class Intake:
    """Decides about submissions, inside a transaction of the caller.

    Args:
        access: how the provider behaves.
    """

    def __init__(self, access: RehearsalAccess) -> None:
        self._behaviour = access.behaviour
        self._provider = access.provider
        self._seed = access.seed

    def receive(
        self, db: sqlite3.Connection, submission: str, rows: Sequence[Row], now: float
    ) -> Answer:
        """Take a job or refuse it, unless the call fails by chance."""
        behaviour, seed = self._behaviour, self._seed
        # With the number of the try, a repeated submission meets luck of its own.
        tries = db.execute(
            "INSERT INTO tries VALUES (?, 1) "
            "ON CONFLICT (submission) DO UPDATE SET count = count + 1 RETURNING count",
            (submission,),
        ).fetchone()[0]
        which = (submission, tries)
        if chance.happens(behaviour.transient_rate, seed, "transient", *which):
            said = chance.one_of(words.NOTHING_ARRIVED, seed, "transient", *which)
            return Answer("transient", error=said)
        if not chance.happens(behaviour.timeout_rate, seed, "timeout", *which):
            return self._decide(db, submission, tries, rows, now)
        said = chance.one_of(words.ANSWER_LOST, seed, "timeout", *which)
        if not chance.happens(behaviour.timeout_accepted, seed, "accepted", *which):
            return Answer("timeout", error=said)
        answer = self._decide(db, submission, tries, rows, now)
        if answer.error is not None:
            return answer
        # The dangerous case: there is a job, and nobody was told its id.
        return Answer("timeout, accepted", answer.job_id, said)

    def _decide(
        self, db: sqlite3.Connection, submission: str, tries: int, rows: Sequence[Row], now: float
    ) -> Answer:
        content = digest(rows)
        if self._behaviour.submission == "idempotent":
            known = db.execute(
                "SELECT job_id, content FROM jobs WHERE submission = ?", (submission,)
            ).fetchone()
            if known is not None:
                same = known[1] == content
                error = None if same else words.other_content(submission)
                return Answer("repeated" if same else "content", known[0], error)
        under_way = [
            Slot(*row)
            for row in db.execute(
                "SELECT number, ready, starts, ends FROM jobs WHERE ends > ?", (now,)
            )
        ]
        refused = self._refusal(db, rows, len(under_way), now)
        return refused or self._take(db, submission, tries, rows, content, under_way, now)

    def _refusal(
        self, db: sqlite3.Connection, rows: Sequence[Row], pending: int, now: float
    ) -> Answer | None:
        behaviour = self._behaviour
        if len(rows) > behaviour.parts_per_job:
            said = words.too_large("parts", len(rows), behaviour.parts_per_job)
            return Answer("parts", error=said)
        most, executions = behaviour.executions_per_job, executions_of(rows)
        if most is not None and executions > most:
            return Answer("executions", error=words.too_large("executions", executions, most))
        most = behaviour.pending
        if most is not None and pending >= most:
            return Answer("pending", error=words.too_many_pending(most))
        most = behaviour.submissions_per_minute
        if most is not None:
            lately = db.execute(
                "SELECT count(*) FROM jobs WHERE submitted > ?", (now - self._provider.minute_s,)
            ).fetchone()[0]
            if lately >= most:
                return Answer("rate", error=words.too_many_submissions(most))
        return None

    def _take(
        self,
        db: sqlite3.Connection,
        submission: str,
        tries: int,
        rows: Sequence[Row],
        content: bytes,
        under_way: Sequence[Slot],
        now: float,
    ) -> Answer:
        behaviour, provider, seed = self._behaviour, self._provider, self._seed
        which = (submission, tries)
        executions = executions_of(rows)
        seconds = provider.qpu_seconds(executions)
        wait_s = chance.queue_time(behaviour.queue_s, behaviour.queue_spread, seed, *which)
        number = newest(db) + 1
        plan = schedule(
            under_way,
            number,
            ready=now + wait_s / provider.speedup,
            takes=seconds / provider.speedup,
            now=now,
        )
        db.executemany(
            "UPDATE jobs SET starts = ?, ends = ? WHERE number = ?",
            [(slot.starts, slot.ends, slot.number) for slot in plan.moved],
        )
        failure = None
        shots, cost = executions, provider.cost(executions, seconds)
        if chance.happens(behaviour.failure_rate, seed, "failure", *which):
            failure = chance.one_of(words.JOB_FAILED, seed, "failure", *which)
            # Providers do not bill errors of their own, although the processor's time is gone.
            shots, seconds, cost = 0, 0.0, 0.0
        name = hashlib.sha256(f"{seed} {number} {submission}".encode()).hexdigest()[:10]
        job = {
            "number": number,
            "job_id": f"rehearsal-{number}-{name}",
            "submission": submission,
            "store": _store_of(submission),
            "content": content,
            "submitted": now,
            "listed": now + behaviour.listing_lag_s / provider.speedup,
            "ready": plan.slot.ready,
            "starts": plan.slot.starts,
            "ends": plan.slot.ends,
            "failure": failure,
            "executions": executions,
            "shots": shots,
            "qpu_seconds": seconds,
            "cost": cost,
        }
        places = ", ".join(f":{column}" for column in job)
        db.execute(f"INSERT INTO jobs ({', '.join(job)}) VALUES ({places})", job)
        db.executemany(
            f"INSERT INTO parts (job, place, {COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",
            [(number, place, *row) for place, row in enumerate(rows)],
        )
        return Answer("accepted", str(job["job_id"]))


def _store_of(submission: str) -> str:
    """The store that a submission id of qhn names; empty for other ids."""
    parts = submission.split("-")
    return parts[1] if len(parts) == 5 and parts[0] == "qhn" else ""
