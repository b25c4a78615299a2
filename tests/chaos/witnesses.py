"""What the provider's own record and the ledger in a store say of a storm."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from storm import QUEUE, Storm

from qhn.devices.rehearsal.database import FILE
from qhn.devices.rehearsal.record import Record
from qhn.sweeps.store.lane_place import open_place


class Witnesses:
    """Looks at single jobs while a sweep runs, fast enough to see them before the ledger does.

    Args:
        root: the folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self._file = root / "devices" / QUEUE / FILE
        self._ledger = root / "lanes" / QUEUE / "jobs"
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the provider's file."""
        if self._connection is not None:
            self._connection.close()

    def jobs_since(self, number: int) -> list[tuple[int, str]]:
        """The number and the submission id of each job after one of this number."""
        if self._connection is None:
            if not self._file.exists():
                return []
            self._connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
        try:
            return self._connection.execute(
                "SELECT number, submission FROM jobs WHERE number > ? ORDER BY number", (number,)
            ).fetchall()
        except sqlite3.OperationalError:  # it is being made
            return []

    def note(self, submission: str) -> dict[str, Any]:
        """What the ledger says of a job that was submitted, which it must know."""
        name = f"{submission}.json"
        place = self._ledger / sha256(name.encode()).hexdigest()[:2] / name
        found: dict[str, Any] = json.loads(place.read_text())
        return found


def disagreements(root: Path, storm: Storm) -> list[str]:
    """What is wrong after a sweep has ended, in words; nothing where all is right.

    Args:
        root: the folder of the store.
        storm: the sweep that has ended.
    """
    ledger = open_place(str(root), QUEUE).ledger.read()
    with Record(root / "devices" / QUEUE) as record:
        jobs, wrong = record.jobs(), []
        if record.paid_twice():
            wrong.append(f"paid twice: {record.paid_twice()}")
        if record.most_pending() > storm.jobs_in_flight:
            wrong.append(f"{record.most_pending()} jobs were at the provider at once")
        broken = Counter(event.kind for event in record.refusals())
    if broken:
        wrong.append(f"the provider's rules were broken: {dict(broken)}")
    # A lease that outlived its term would have kept its job from its end.
    if still_open := [noted.submission for noted in ledger if not noted.is_over]:
        wrong.append(f"the ledger has jobs that have not ended: {still_open}")
    paid = {job.job_id: (job.shots, job.qpu_seconds, job.cost) for job in jobs}
    noted = {
        each.job_id: (each.used.shots, each.used.qpu_seconds, each.used.cost)
        for each in ledger
        if each.job_id is not None
    }
    if paid.keys() != noted.keys():
        wrong.append(f"one of ledger and record alone has {sorted(paid.keys() ^ noted.keys())}")
    wrong += [
        f"{job_id}: paid {paid[job_id]}, in the ledger {noted[job_id]}"
        for job_id in paid.keys() & noted.keys()
        if not all(abs(a - b) < 1e-9 for a, b in zip(paid[job_id], noted[job_id], strict=True))
    ]
    steps = sorted((step.seed, step.step) for job in jobs if not job.failure for step in job.steps)
    if steps != [(seed, step) for seed in range(storm.trials) for step in range(storm.steps + 1)]:
        wrong.append("not each step of each trial was paid for once")
    return wrong
