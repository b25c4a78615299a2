"""The angles from which a trial starts, where these are the result of another trial, its parent."""

from __future__ import annotations

from qhn.core.arrays import FloatArray
from qhn.core.errors import DamagedError, InvalidValueError
from qhn.core.evaluation.problem import Problem
from qhn.core.evaluation.task import Task
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Store


def start_angles(config: TrialConfig, problem: Task, store: Store | None) -> FloatArray | None:
    """The last angles of a trial's parent, shape ``(depth, 2, N)``; None if it has no parent.

    They are read from the parent's checkpoint. Where there is none that can be used, or no store,
    the parent is trained here, which gives the same angles: it runs on a device without a queue.

    Args:
        config: the configuration of the trial.
        problem: the data of both trials, with the loss table if the trial needs one.
        store: the store that has the parent; None if there is none.

    Raises:
        InvalidValueError: if the parent has failed. The message names it.
    """
    parent = config.parent
    if parent is None:
        return None
    found = None if store is None else _stored_angles(parent, store)
    if found is None:
        found = _trained_angles(parent, problem)
    return found


def _stored_angles(parent: TrialConfig, store: Store) -> FloatArray | None:
    parent_id = parent.trial_id
    if (error := store.error(parent_id)) is not None and store.result(parent_id) is None:
        raise InvalidValueError(
            f"a trial starts from the angles of its parent, but the parent {parent_id} has failed: "
            f"{error.message.splitlines()[0] if error.message else 'without a message'}"
        )
    try:
        state = store.checkpoint(parent_id)
    except DamagedError:
        # Whoever trains the parent again sets the file aside. This trial only wants the angles.
        return None
    # A parent that another sweep stopped early has not come to the angles that are meant here.
    if state is None or state.step < parent.training.steps:
        return None
    angles: FloatArray = state["parameters"]
    return angles


def _trained_angles(parent: TrialConfig, problem: Task) -> FloatArray:
    if parent.needs_tables and not isinstance(problem, Problem):
        # A trial that samples on many qubits has no tables, but its exact parent needs them.
        problem = factory.problem(parent)
    with parent.device.open(factory.ansatz(parent)) as device:
        trainer = factory.trainer(parent, problem, device)
        while not trainer.finished:
            trainer.advance()
    if trainer.diverged:
        raise InvalidValueError(
            f"a trial starts from the angles of its parent, but the parent {parent.trial_id} came "
            "to angles that are not finite; use a smaller learning rate, or a smaller λ"
        )
    return trainer.parameters
