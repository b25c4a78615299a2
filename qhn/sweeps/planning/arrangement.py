"""The order of a sweep's trials where memory does not hold the tables of all problems at once."""

from __future__ import annotations

from collections.abc import Sequence

from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import (
    ProblemConfig,
    memory_of,
    most_together,
    stored_bytes,
)
from qhn.sweeps.planning.plan import PlannedTrial


def arrange(
    trials: Sequence[PlannedTrial], machine: Machine, alive: int = 1
) -> tuple[PlannedTrial, ...]:
    """Order trials so that the tables that live together fit; the given order stays if it does.

    Seeds outermost is the better order, since a sweep that is not finished then compares all
    groups; but it keeps the tables of all problems to the end. Where these do not fit together,
    problems come one after the other, each with its trials in the order that they had.

    Args:
        trials: in the order of the plan.
        machine: that will run them.
        alive: trials that may be alive at once, see `most_together`.
    """
    if fits(trials, machine, alive):
        return tuple(trials)
    first: dict[ProblemConfig, int] = {}
    for place, trial in enumerate(trials):
        first.setdefault(_problem(trial), place)
    # A stable sort: trials of one problem stay in their order.
    return tuple(sorted(trials, key=lambda trial: first[_problem(trial)]))


def fits(trials: Sequence[PlannedTrial], machine: Machine, alive: int = 1) -> bool:
    """Whether the machine holds the largest trial and, at every moment, the tables that live."""
    memory = memory_of((trial.config for trial in trials), alive)
    if memory.shared + memory.trial > machine.memory_bytes:
        return False
    if machine.object_store_bytes is None:
        return True
    problems = [_problem(trial) for trial in trials]
    sizes = {problem: stored_bytes(*problem) for problem in set(problems)}
    return most_together(problems, sizes, alive) <= machine.object_store_bytes


def _problem(trial: PlannedTrial) -> ProblemConfig:
    return trial.config.dataset, trial.config.network
