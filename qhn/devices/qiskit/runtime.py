"""The handle of an IBM processor, reached through Qiskit Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import IntArray
from qhn.core.errors import DeviceError, InvalidValueError
from qhn.devices.opening import OpenHandle
from qhn.devices.qiskit.access import MOST_EXECUTIONS, RuntimeAccess
from qhn.devices.qiskit.account import connect, without_secrets, words_of
from qhn.devices.qiskit.circuit import Compiled, compiled_for
from qhn.devices.qiskit.jobs import report_of, status_of
from qhn.devices.qiskit.samples import from_bytes
from qhn.devices.qiskit.simulator import check_width
from qhn.devices.queued import JobReport, Part
from qhn.devices.submitting import check_job, check_places

if TYPE_CHECKING:
    from qhn.devices.kinds.qiskit import Qiskit

#: A tag of all jobs of qhn, by which people find them on the platform's pages.
_TAG = "qhn"
#: How far back a lost job is looked for. IBM's open plan counts in such periods.
_LISTED_DAYS = 28


def sampler_for(backend: Any, tags: Sequence[str]) -> Any:
    """Qiskit Runtime's sampler for a backend. Later versions rename it; nothing else names it.

    Args:
        backend: a processor, or a simulator, for which Qiskit Runtime uses its local mode.
        tags: the tags of the jobs. They are set before the submission, because a job whose id was
            lost can be found by them alone.
    """
    from qiskit_ibm_runtime import SamplerV2

    sampler = SamplerV2(mode=backend)
    sampler.options.environment.job_tags = list(tags)
    return sampler


@dataclass(frozen=True)
class BackendState:
    """How a processor is at the moment.

    Attributes:
        operational: whether it takes jobs that will be run.
        message: the platform's word for its state, such as ``active``.
        pending_jobs: how many jobs of all users wait for it.
        n_qubits: how many qubits it has.
    """

    operational: bool
    message: str
    pending_jobs: int
    n_qubits: int


class RuntimeHandle(OpenHandle):
    """Jobs on one IBM processor; see `qhn.devices.queued.QueuedHandle`. It remembers no job.

    A job has one broadcast circuit with all sets of angles for each part. The processor's
    calibration changes every day, so that samples are never reproducible.

    Args:
        device: the options.
        ansatz: the circuit of the trial that opens it. Jobs may have parts with other circuits.
        access: how the platform is reached.
        service: a service in place of that of Qiskit Runtime, in tests.

    Raises:
        DeviceError: if there are no credentials, or if the platform cannot be reached.
        InvalidValueError: if there is no such processor, or if it has too few qubits.
    """

    def __init__(
        self, device: Qiskit, ansatz: Ansatz, access: RuntimeAccess, service: Any = None
    ) -> None:
        super().__init__(device.kind, ansatz, device.capabilities)
        self._service = connect(access) if service is None else service
        self._backend = _backend(self._service, device.backend)
        check_width(device.backend, self._backend.num_qubits, ansatz.n_qubits)
        # One for each circuit: transpiling takes longer than anything else here.
        self._compiled: dict[Ansatz, Compiled] = {}

    def submit(self, submission: str, parts: Sequence[Part]) -> str:
        """See `QueuedHandle.submit`.

        Raises:
            InvalidValueError: if the parts are more than a job may have, or a part is not as it
                must be.
        """
        self._check_open()
        check_job(submission, parts)
        executions = sum(part.executions for part in parts)
        if executions > MOST_EXECUTIONS:
            raise InvalidValueError(
                f"a job must have at most {MOST_EXECUTIONS:,} executions, sets times shots, but "
                f"got {executions:,}; use fewer shots, or fewer parts in a job"
            )
        pubs = []
        for part in parts:
            compiled = self._circuit(part.ansatz)
            pubs.append((compiled.circuit, compiled.values(part.sets), part.shots))
        with without_secrets():
            job = sampler_for(self._backend, [_TAG, submission]).run(pubs)
            return str(job.job_id())

    def find(self, submission: str) -> str | None:
        """See `QueuedHandle.find`. Listings lag behind, so it must be asked more than once."""
        self._check_open()
        with without_secrets():
            jobs = self._service.jobs(
                limit=None,
                backend_name=self._backend.name,
                job_tags=[submission],
                created_after=datetime.now() - timedelta(days=_LISTED_DAYS),
            )
        # The newest comes first. Were there two, the first one would be the one that was paid for.
        return str(jobs[-1].job_id()) if jobs else None

    def look(self, job_id: str) -> JobReport:
        """See `QueuedHandle.look`."""
        self._check_open()
        with without_secrets():
            return report_of(self._service.job(job_id))

    def fetch(self, job_id: str, places: Sequence[int] | None = None) -> list[IntArray]:
        """See `QueuedHandle.fetch`. The platform gives a job as a whole; only parts are decoded.

        Raises:
            DeviceError: if the job is not done.
            InvalidValueError: if the job has no part of such a number.
        """
        self._check_open()
        with without_secrets():
            job = self._service.job(job_id)
            # `result` would wait for the job, perhaps for hours.
            if (status := status_of(job)) != "DONE":
                raise DeviceError(
                    f"samples can be fetched from a job that is done, but {job_id} is {status}"
                )
            pubs = list(job.result())
        wanted = range(len(pubs)) if places is None else places
        check_places(job_id, wanted, len(pubs))
        # A circuit has one register, whatever its name is.
        return [from_bytes(next(iter(pubs[place].data.values())).array) for place in wanted]

    def state(self) -> BackendState:
        """Ask how the processor is. Nothing is submitted."""
        self._check_open()
        with without_secrets():
            status = self._backend.status()
        return BackendState(
            bool(status.operational),
            str(status.status_msg),
            int(status.pending_jobs),
            int(self._backend.num_qubits),
        )

    def close(self) -> None:
        """Forget the service; jobs go on."""
        super().close()
        self._compiled.clear()
        self._service = self._backend = None

    def _circuit(self, ansatz: Ansatz) -> Compiled:
        if ansatz not in self._compiled:
            check_width(str(self._backend.name), self._backend.num_qubits, ansatz.n_qubits)
            self._compiled[ansatz] = compiled_for(self._backend, ansatz)
        return self._compiled[ansatz]


def _backend(service: Any, name: str) -> Any:
    from qiskit.providers.exceptions import QiskitBackendNotFoundError

    with without_secrets():
        try:
            return service.backend(name)
        except QiskitBackendNotFoundError as error:
            raise InvalidValueError(
                f"a processor must be one that the account may use, but got {name}; the IBM "
                f"Quantum Platform says: {words_of(error)}"
            ) from error
