"""The handle of the rehearsal device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import IntArray
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import SamplerHandle
from qhn.devices.kinds.exact import Exact
from qhn.devices.queued import JobReport, Part
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.parts import check_parts
from qhn.devices.rehearsal.provider import RehearsalProvider


class RehearsalHandle:
    """An open rehearsal device. It keeps nothing about jobs; see `qhn.devices.queued.QueuedHandle`.

    Every method may raise `qhn.devices.rehearsal.words.ProviderError` with the words of a provider.

    Args:
        ansatz: the circuit of the trial that opens it. Jobs may have parts with other circuits.
        capabilities: those of the device, with the promise of the access.
        exact: the device that draws the samples, whoever submitted the job.
        access: how the provider behaves, and where its file is.
        clock: the time, seconds since the epoch. Tests move it by hand.
    """

    name = "rehearsal"

    def __init__(
        self,
        ansatz: Ansatz,
        capabilities: Capabilities,
        exact: Exact,
        access: RehearsalAccess,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ansatz = ansatz
        self.capabilities = capabilities
        self._temporary: TemporaryDirectory[str] | None = None
        folder = access.folder
        if folder is None:
            self._temporary = TemporaryDirectory(prefix="qhn-rehearsal-")
            folder = self._temporary.name
        self._provider: RehearsalProvider | None = RehearsalProvider(
            Path(folder).expanduser(), access, clock
        )
        self._exact = exact
        self._sampler: SamplerHandle | None = None

    def submit(self, submission: str, parts: Sequence[Part]) -> str:
        """See `QueuedHandle.submit`.

        Raises:
            InvalidValueError: if the submission id or a part is not as it must be.
        """
        provider = self._open_provider
        check_parts(parts)
        return provider.submit(submission, parts)

    def find(self, submission: str) -> str | None:
        """See `QueuedHandle.find`."""
        return self._open_provider.find(submission)

    def look(self, job_id: str) -> JobReport:
        """See `QueuedHandle.look`."""
        return self._open_provider.look(job_id)

    def fetch(self, job_id: str) -> list[IntArray]:
        """See `QueuedHandle.fetch`. The samples are those of the device ``exact``, bit for bit."""
        # They are computed anew each time: that takes less time than it would take to keep them.
        return [self._sample(part) for part in self._open_provider.parts(job_id)]

    def close(self) -> None:
        """Close the provider's file; jobs go on. Without a folder, all of them are gone."""
        if self._provider is not None:
            self._provider.close()
            self._provider = None
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _open_provider(self) -> RehearsalProvider:
        if self._provider is None:
            raise InvalidValueError("a device handle must be open, but this one was closed")
        return self._provider

    def _sample(self, part: Part) -> IntArray:
        # Trials that share a job mostly have the same circuit. Only the engine of the latest one is
        # kept, because each needs memory for its states.
        if self._sampler is None or self._sampler.ansatz != part.ansatz:
            opened = self._exact.open(part.ansatz)
            assert isinstance(opened, SamplerHandle)
            self._sampler = opened
        return self._sampler.sample(part.sets, part.shots, part.key)
