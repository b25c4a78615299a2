"""SIGTERM to a process that trains. It is really sent, to the process of the tests."""

import signal

import pytest

from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store
from qhn.sweeps.trial import answering
from qhn.sweeps.trial.actor import TrialActor
from qhn.sweeps.trial.leaving import Leaving
from qhn.sweeps.trial.session import TrialSession

CONFIG = TrialConfig.model_validate(
    {
        "dataset": {"name": "moons", "train": 10, "test": 10},
        "network": {"kind": "mlp", "hidden": 1},
        "objective": {"name": "mle"},
        "training": {"steps": 9, "report_every": 9},
        "seed": 0,
    }
)


@pytest.fixture
def leaving():
    """As in a process of Ray, whose handler is there before."""

    def end(number, frame):
        raise SystemExit("Ray's handler")

    before = signal.signal(signal.SIGTERM, end)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    made = Leaving()
    made.listen()
    yield made
    signal.signal(signal.SIGTERM, before)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_a_process_that_does_not_train_ends_at_once(leaving):
    with pytest.raises(SystemExit, match="Ray's handler"):
        signal.raise_signal(signal.SIGTERM)


def test_a_process_is_put_off_until_its_work_is_done(leaving):
    done = []
    with pytest.raises(SystemExit, match="Ray's handler"), leaving.put_off(lambda: done.append(2)):
        signal.raise_signal(signal.SIGTERM)
        assert leaving.is_wanted()
        done.append(1)
    assert done == [1, 2]


def test_a_trial_is_saved_after_the_step_that_is_under_way(leaving, monkeypatch):
    # Otherwise the piece of work would end, and be saved, after a second.
    monkeypatch.setattr(answering, "PIECE_SECONDS", 1000.0)
    # Ray hears that the machine is drained only after this process has heard that it must leave.
    looks, news = [], iter(["elsewhere", "here"])

    def look():
        looks.append(next(news))
        return {looks[-1]}

    monkeypatch.setattr("qhn.sweeps.trial.leaving.draining_machines", look)
    actor = TrialActor.__new__(TrialActor)
    actor._leaving, actor._answer_s, actor._node = leaving, 1000.0, "here"
    actor._score = actor._sampler = actor._device = None
    store = open_store("memory://leaving")
    device = CONFIG.device.open(factory.ansatz(CONFIG))
    problem = factory.problem(CONFIG)
    session = TrialSession(CONFIG, problem, device, store, None, leaving.is_wanted)
    advance = session.trainer.advance

    def interrupted():
        if session.trainer.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return advance()

    monkeypatch.setattr(session.trainer, "advance", interrupted)
    with pytest.raises(SystemExit, match="Ray's handler"):
        actor._train(session)
    assert store.checkpoint(CONFIG.trial_id).step == 3
    assert looks == ["elsewhere", "here"]
