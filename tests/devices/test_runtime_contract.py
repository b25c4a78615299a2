"""The handle of IBM's processors keeps the contract of queued devices, with a scripted service."""

import pytest
from queued_contract import ANSATZ, QueuedContract
from scripted_runtime import ScriptedService

from qhn.devices import make_device
from qhn.devices.qiskit import runtime
from qhn.devices.qiskit.access import RuntimeAccess

_DEVICE = make_device("qiskit", backend="ibm_nairobi", shots=20)


class _World:
    """See `queued_contract.World`. Time passes when the script says so."""

    def __init__(self, service):
        self.service = service
        self.opened = []
        self.fails = False

    def open(self):
        handle = runtime.RuntimeHandle(_DEVICE, ANSATZ, RuntimeAccess(), self.service)
        self.opened.append(handle)
        return handle

    def start(self, job_id):
        self.service.job(job_id).status_ = "RUNNING"

    def finish(self, job_id):
        job = self.service.job(job_id)
        job.status_ = "ERROR" if self.fails else "DONE"
        job.message = "the control system lost the lock" if self.fails else None

    def list(self):
        self.service.lag = 0

    def fail_next(self):
        self.fails = True
        return "lost the lock"

    def close(self):
        for handle in self.opened:
            handle.close()


class TestRuntime(QueuedContract):
    @pytest.fixture
    def world(self, monkeypatch):
        service = ScriptedService(lag=1, status="QUEUED")
        monkeypatch.setattr(runtime, "sampler_for", service.sampler_for)
        made = _World(service)
        yield made
        made.close()

    @pytest.fixture
    def together(self):
        return 3
