"""The order of a sweep's trials, for sweeps whose loss tables do not fit into memory together."""

from __future__ import annotations

from collections.abc import Sequence

from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import (
    ProblemConfig,
    memory_of,
    most_together,
    problem_of,
    stored_bytes,
)
from qhn.sweeps.planning.plan import PlannedTrial


def arrange(
    trials: Sequence[PlannedTrial], machine: Machine, alive: int = 1
) -> tuple[PlannedTrial, ...]:
    """Order trials so that the tables that are needed at the same time fit into memory.

    The order of a plan has the seeds outermost. It is the better one, because an unfinished sweep
    can then compare all groups, but it needs the tables of all problems until the end. If these
    fit, the order stays. Otherwise the problems come one after the other, and the trials of each
    problem keep their order.

    Args:
        trials: the trials in the order of the plan.
        machine: the machine that will run them.
        alive: how many trials may be alive at once; see `most_together`.
    """
    if fits(trials, machine, alive):
        return tuple(trials)
    first: dict[ProblemConfig, int] = {}
    for place, trial in enumerate(trials):
        first.setdefault(_problem(trial), place)
    # The sort is stable, so the trials of one problem keep their order.
    return tuple(sorted(trials, key=lambda trial: first[_problem(trial)]))


def fits(trials: Sequence[PlannedTrial], machine: Machine, alive: int = 1) -> bool:
    """Whether the machine's memory holds the largest trial, and at all times the needed tables."""
    memory = memory_of((trial.config for trial in trials), alive)
    if memory.shared + memory.trial > machine.memory_bytes:
        return False
    # A machine with Ray must also hold the tables in Ray's object store, which is a part of its
    # memory.
    if machine.object_store_bytes is None:
        return True
    problems = [_problem(trial) for trial in trials]
    sizes = {problem: stored_bytes(*problem) for problem in set(problems)}
    return most_together(problems, sizes, alive) <= machine.object_store_bytes


def _problem(trial: PlannedTrial) -> ProblemConfig:
    return problem_of(trial.config)
