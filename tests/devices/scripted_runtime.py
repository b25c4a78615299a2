"""The IBM Quantum Platform as a test wants it: local jobs behind statuses, errors and lags."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime.exceptions import IBMRuntimeError, RuntimeJobNotFound
from qiskit_ibm_runtime.fake_provider import FakeNairobiV2

from qhn.devices.qiskit import runtime


class Processor(FakeNairobiV2):
    """A fake backend under the name of a processor."""

    def __init__(self):
        super().__init__()
        self.name = "ibm_nairobi"

    def status(self):
        return Status()


@dataclass
class Status:
    operational: bool = True
    status_msg: str = "active"
    pending_jobs: int = 12


@dataclass
class ScriptedJob:
    """A job that ran in the local mode long ago, and tells of itself what the script says."""

    number: int
    tags: list[str]
    backend_name: str
    local: object
    status_: str = "DONE"
    message: str | None = None
    usage_s: float | None = 4.4
    executions: int = 0

    def job_id(self):
        return f"d{self.number:04}"

    def status(self):
        return self.status_

    def error_message(self):
        return self.message

    def metrics(self):
        times = {"created": "2026-01-02T03:04:05.5Z", "running": "2026-01-02T03:05:05.5Z"}
        if self.status_ == "RUNNING":
            return {"timestamps": {**times, "finished": None}, "usage": {"quantum_seconds": None}}
        times["finished"] = "2026-01-02T03:05:10Z"
        usage = {} if self.usage_s is None else {"quantum_seconds": self.usage_s}
        return {"timestamps": times, "usage": usage, "executions": self.executions}

    def properties(self):
        return Processor().properties()

    def result(self):
        assert self.status_ == "DONE", "nothing may wait for a job"
        return self.local.result()


@dataclass
class ScriptedService:
    """What a `RuntimeHandle` uses of ``QiskitRuntimeService``.

    Attributes:
        lag: how many listings do not show a job yet.
        errors: what the next calls raise, in this order; None for a call that works.
        lost: whether submissions raise after the job was accepted.
        status: the status of new jobs.
    """

    lag: int = 0
    errors: list[Exception | None] = field(default_factory=list)
    lost: Exception | None = None
    status: str = "DONE"
    submitted: list[ScriptedJob] = field(default_factory=list)
    listings: int = 0

    def backend(self, name):
        if name != "ibm_nairobi":
            raise QiskitBackendNotFoundError("No backend matches the criteria.")
        return Processor()

    def job(self, job_id):
        self._fail()
        for job in self.submitted:
            if job.job_id() == job_id:
                return job
        raise RuntimeJobNotFound(f"Job not found: {job_id}")

    def jobs(self, *, limit, backend_name, job_tags, created_after):
        self._fail()
        self.listings += 1
        shown = self.submitted if self.listings > self.lag else []
        return [
            job
            for job in reversed(shown)
            if backend_name == job.backend_name and set(job_tags) <= set(job.tags)
        ]

    def sampler_for(self, backend, tags):
        """In place of `runtime.sampler_for`: the local mode, whose jobs have no tags."""
        return _Sampler(self, backend, tags)

    def _fail(self):
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error


class _Sampler:
    def __init__(self, service, backend, tags):
        self.service, self.backend, self.tags = service, backend, tags

    def run(self, pubs):
        self.service._fail()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*have no effect in local testing mode")
            local = real_sampler_for(self.backend, self.tags).run(pubs)
        number = len(self.service.submitted)
        job = ScriptedJob(number, list(self.tags), self.backend.name, local, self.service.status)
        job.executions = sum(len(values) * shots for _, values, shots in pubs)
        self.service.submitted.append(job)
        if self.service.lost is not None:
            raise self.service.lost
        return job


real_sampler_for = runtime.sampler_for


def failed(text):
    """The one class in which Qiskit Runtime raises nearly everything."""
    return IBMRuntimeError(f"Failed to run program: {text}")
