"""The handle of the rehearsal device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import IntArray
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import SamplerHandle
from qhn.devices.kinds.exact import Exact
from qhn.devices.opening import OpenHandle
from qhn.devices.queued import JobReport, Part
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.provider import RehearsalProvider
from qhn.devices.submitting import check_job


class RehearsalHandle(OpenHandle):
    """An open rehearsal device. It keeps nothing about jobs; see `qhn.devices.queued.QueuedHandle`.

    Every method may raise `qhn.devices.rehearsal.words.ProviderError` with the words of a provider.

    Args:
        ansatz: the circuit of the trial that opens it. Jobs may have parts with other circuits.
        capabilities: those of the device, with the promise of the access.
        exact: the device that draws the samples, whoever submitted the job.
        access: how the provider behaves, and where its file is.
        clock: the time, seconds since the epoch. Tests move it by hand.
    """

    def __init__(
        self,
        ansatz: Ansatz,
        capabilities: Capabilities,
        exact: Exact,
        access: RehearsalAccess,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("rehearsal", ansatz, capabilities)
        self._temporary: TemporaryDirectory[str] | None = None
        folder = access.folder
        if folder is None:
            self._temporary = TemporaryDirectory(prefix="qhn-rehearsal-")
            folder = self._temporary.name
        self._provider = RehearsalProvider(Path(folder).expanduser(), access, clock)
        self._exact = exact
        self._sampler: SamplerHandle | None = None

    def submit(self, submission: str, parts: Sequence[Part]) -> str:
        """See `QueuedHandle.submit`.

        Raises:
            InvalidValueError: if the submission id or a part is not as it must be.
        """
        self._check_open()
        check_job(submission, parts)
        return self._provider.submit(submission, parts)

    def find(self, submission: str) -> str | None:
        """See `QueuedHandle.find`."""
        self._check_open()
        return self._provider.find(submission)

    def look(self, job_id: str) -> JobReport:
        """See `QueuedHandle.look`."""
        self._check_open()
        return self._provider.look(job_id)

    def fetch(self, job_id: str, places: Sequence[int] | None = None) -> list[IntArray]:
        """See `QueuedHandle.fetch`. The samples are those of the device ``exact``, bit for bit.

        Parts of one job may be of trials with other noise. The noise is that of the handle which
        fetches, so that each trial gets what its own device says, whoever submitted the job.

        Raises:
            InvalidValueError: if the job has no part of such a number.
        """
        self._check_open()
        # They are computed anew each time: that takes less time than it would take to keep them.
        return [self._sample(part) for part in self._provider.parts(job_id, places)]

    def close(self) -> None:
        """Close the provider's file; jobs go on. Without a folder, all of them are gone."""
        super().close()
        self._provider.close()
        self._close_sampler()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def _sample(self, part: Part) -> IntArray:
        # Trials that share a job mostly have the same circuit. Only the engine of the latest one is
        # kept, because each needs memory for its states.
        if self._sampler is None or self._sampler.ansatz != part.ansatz:
            self._close_sampler()
            opened = self._exact.open(part.ansatz)
            assert isinstance(opened, SamplerHandle)
            self._sampler = opened
        return self._sampler.sample(part.sets, part.shots, part.key)

    def _close_sampler(self) -> None:
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None
