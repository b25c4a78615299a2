"""A rehearsal device with a clock that tests move by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from queued_contract import ANSATZ

from qhn.devices.kinds import Exact, Rehearsal
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.handle import RehearsalHandle
from qhn.devices.rehearsal.record import Record
from qhn.devices.rehearsal.words import ProviderError

#: A provider that takes everything at once, for tests of single settings.
FREE = {"pending": 10**6, "submissions_per_minute": 10**6, "queue_s": 0.0, "listing_lag_s": 0.0}


class Rehearsed:
    """A folder, a clock, and handles that are closed at the end.

    Args:
        folder: where the provider's file is.
        settings: those of `RehearsalAccess`.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.now = 1.8e9
        self.folder = folder
        self.access = RehearsalAccess(folder=str(folder), **settings)
        self._opened: list[RehearsalHandle] = []

    def open(self, **settings: object) -> RehearsalHandle:
        """A new handle, with some settings changed."""
        access = dataclasses.replace(self.access, **settings)
        promised = dataclasses.replace(
            Rehearsal().capabilities, submission=access.behaviour.submission
        )
        handle = RehearsalHandle(ANSATZ, promised, Exact(shots=1), access, lambda: self.now)
        self._opened.append(handle)
        return handle

    def wait(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds

    def record(self) -> Record:
        """What the provider wrote down."""
        record = Record(self.folder)
        self._opened.append(record)
        return record

    def start(self, job_id: str) -> None:
        """See `queued_contract.World`."""
        (job,) = [job for job in self.record().jobs() if job.job_id == job_id]
        self.now = job.starts

    def finish(self, job_id: str) -> None:
        """See `queued_contract.World`."""
        (job,) = [job for job in self.record().jobs() if job.job_id == job_id]
        self.now = job.ends

    def list(self) -> None:
        """See `queued_contract.World`."""
        # Long enough that the limit of submissions per minute is over as well.
        self.wait(60.0)

    def fail_next(self) -> str:
        """See `queued_contract.World`."""
        self.access = dataclasses.replace(self.access, failure_rate=1.0)
        return "Job failed"

    def close(self) -> None:
        """Close all that was opened."""
        for opened in self._opened:
            opened.close()


def outcome(call, *arguments):
    """What a call gives: a value, or the provider's words."""
    try:
        return call(*arguments)
    except ProviderError as error:
        return error
