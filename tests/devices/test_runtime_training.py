"""A whole training on an IBM processor behind a scripted service, and an interrupted one."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_runtime import ScriptedService

from qhn.devices.qiskit import runtime
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.trial.alone import opened_alone
from qhn.sweeps.trial.session import TrialSession

CONFIG = TrialConfig.model_validate(
    {
        "dataset": {"name": "moons", "train": 10, "test": 10},
        "network": {"kind": "logistic"},
        "ansatz": {"depth": 1},
        "objective": {"name": "mle"},
        "training": {"steps": 1},
        "device": {"name": "qiskit", "backend": "ibm_nairobi", "shots": 20, "estimator": "spsa"},
        "seed": 0,
    }
)


@pytest.fixture
def service(monkeypatch):
    scripted = ScriptedService()
    monkeypatch.setattr(runtime, "sampler_for", scripted.sampler_for)
    monkeypatch.setattr(runtime, "connect", lambda access: scripted)
    return scripted


def session_of(opened):
    return TrialSession(CONFIG, factory.problem(CONFIG), opened.device, None, opened.sampler)


def test_a_processor_trains_a_trial_without_a_sweep(service):
    with opened_alone(CONFIG) as opened:
        session = session_of(opened)
        while not session.work(60.0).finished:
            pass
        assert opened.jobs_left() == []
        use = opened.sampler.use
    assert (use.jobs, use.shots, use.job_ids) == (2, 2 * 3 * 20, ["d0000", "d0001"])
    assert (use.backend, opened.currency) == (CONFIG.device.title, "USD")
    assert np.isfinite(session.trainer.history.last()["nll"])


def test_an_interruption_tells_which_jobs_go_on(service, monkeypatch):
    def interrupt(self, job_id):
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime.RuntimeHandle, "look", interrupt)
    with opened_alone(CONFIG) as opened, pytest.raises(KeyboardInterrupt):
        session_of(opened).work(60.0)
    assert opened.jobs_left() == ["d0000"]
