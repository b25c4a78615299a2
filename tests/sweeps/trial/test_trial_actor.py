"""What a trial actor does about errors that are no `Exception`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from lane_world import config

from qhn.core.errors import StoreError
from qhn.sweeps.trial import actor as module
from qhn.sweeps.trial.actor import TrialActor


class PanicError(BaseException):
    """As a library in Rust raises it."""


@pytest.fixture
def actor():
    made = TrialActor.__new__(TrialActor)
    made._trial, made._session, made._sampler = config(), None, None
    return made


def test_a_panic_of_a_library_fails_the_trial_and_not_the_process(actor, monkeypatch):
    def panic():
        raise PanicError("index out of bounds")

    monkeypatch.setattr(actor, "_open_session", panic)
    answer = actor._work()
    assert answer.error.message == "PanicError: index out of bounds"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_ends_the_process(actor, monkeypatch, stop):
    def interrupted():
        raise stop

    monkeypatch.setattr(actor, "_open_session", interrupted)
    with pytest.raises(stop):
        actor._work()


def test_a_job_that_was_accepted_is_known_after_the_store_was_away(actor, monkeypatch):
    made = [
        SimpleNamespace(submitted=("submission", "job"), close=lambda: None, content=dict),
        SimpleNamespace(submitted=None, close=lambda: None),
    ]
    monkeypatch.setattr(module, "lane_sampler", lambda *parts: made[1])
    monkeypatch.setattr(module, "BrokerClient", lambda *parts: None)
    actor._sampler, actor._ticket, actor._umask = made[0], SimpleNamespace(queue="qpu"), 0
    actor._patience, actor._store_uri = SimpleNamespace(pause=lambda *parts: 0.0), "memory://away"
    assert actor._wait_for_store(StoreError("the store is away")).waiting == "the store is away"
    actor._enter_lane(None, None)
    assert made[1].submitted == ("submission", "job")
