"""What a trial actor does about errors that are no `Exception`."""

from __future__ import annotations

import pytest
from lane_world import config

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
