"""Trials that start from the last angles of another trial."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import TrialError, open_store
from qhn.sweeps.trial.session import TrialSession

PARENT = {
    "dataset": {"name": "moons", "train": 20, "test": 20},
    "network": {"kind": "logistic"},
    "objective": {"name": "mle"},
    "training": {"steps": 12},
    "seed": 3,
}
# The device is one that can be opened here. Which devices may have parents is a matter of the plan.
START = {"device": {"name": "exact"}, "training": {"steps": 12}}
CHILD = TrialConfig.model_validate(
    {**PARENT, "device": {"name": "exact", "shots": 32}, "start_from": START}
)
PROBLEM = factory.problem(CHILD)


def session(config, store):
    return TrialSession(config, PROBLEM, config.device.open(factory.ansatz(config)), store)


def train(config, store):
    trained = session(config, store)
    while not trained.work(60.0).finished:
        pass
    return trained


@pytest.fixture
def store():
    return open_store(f"memory://{uuid.uuid4().hex}")


def test_a_child_begins_where_its_parent_ended(store):
    assert CHILD.parent == TrialConfig.model_validate(PARENT)
    parent = train(CHILD.parent, store)
    child = session(CHILD, store)
    assert np.array_equal(child.trainer.parameters, parent.trainer.parameters)
    assert (child.trainer.step, len(child.trainer.history)) == (0, 0)


def test_the_angles_come_from_the_store(store):
    train(CHILD.parent, store)
    state = {**store.checkpoint(CHILD.parent.trial_id)}
    state["parameters"] = state["parameters"] + 1.0
    fresh = open_store(f"memory://{uuid.uuid4().hex}")
    fresh.save_checkpoint(CHILD.parent.trial_id, state)
    begun = session(CHILD, fresh)
    assert np.array_equal(begun.trainer.parameters, state["parameters"])


def test_without_the_parent_it_is_trained_again_with_the_same_angles(store):
    parent = train(CHILD.parent, store)
    for other in (open_store(f"memory://{uuid.uuid4().hex}"), None):
        assert np.array_equal(session(CHILD, other).trainer.parameters, parent.trainer.parameters)


def test_a_parent_that_is_not_at_its_end_is_not_taken(store):
    parent = session(CHILD.parent, store)
    parent.work(0.0)
    assert store.checkpoint(CHILD.parent.trial_id).step < 12
    whole = train(CHILD.parent, open_store(f"memory://{uuid.uuid4().hex}"))
    begun = session(CHILD, store)
    assert np.array_equal(begun.trainer.parameters, whole.trainer.parameters)


def test_a_child_that_has_begun_continues_from_its_own_angles(store):
    train(CHILD.parent, store)
    child = session(CHILD, store)
    child.work(0.0)
    assert child.trainer.step == 1
    again = session(CHILD, store)
    assert again.trainer.step == 1
    assert np.array_equal(again.trainer.parameters, child.trainer.parameters)


def test_a_failed_parent_is_named(store):
    store.save_error(CHILD.parent.trial_id, TrialError("it diverged\nsomewhere", "", 1, {}))
    with pytest.raises(InvalidValueError) as caught:
        session(CHILD, store)
    assert str(caught.value) == (
        "a trial starts from the angles of its parent, but the parent "
        f"{CHILD.parent.trial_id} has failed: it diverged"
    )


def test_angles_are_given_before_the_first_step(store):
    trainer = train(CHILD.parent, store).trainer
    with pytest.raises(InvalidValueError, match="before its first step, but it is at step 12"):
        trainer.start_at(trainer.parameters)
    begun = session(CHILD.parent, None).trainer
    with pytest.raises(InvalidValueError, match="angles must have the shape"):
        begun.start_at(np.zeros(3))
