"""Loss tables, computed once per data set and network and shared by all trials of a node."""

from __future__ import annotations

from collections.abc import Iterable

import ray

from qhn.core.evaluation.problem import Problem
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.trial import TrialConfig


# No CPU is reserved: trials may hold them all, and wait for the table that waits for a CPU.
@ray.remote(num_cpus=0, num_returns=2)  # type: ignore[untyped-decorator]
def _build(config_json: str, turn: object) -> tuple[Problem | Exception, bool]:
    # An error is returned, not raised: the task that waits for this one's turn would fail with it.
    try:
        return build.problem(TrialConfig.from_json(config_json)), True
    except Exception as error:  # noqa: BLE001 - raised again by each trial that needs the problem
        return error, True


def fetch(reference: ray.ObjectRef) -> Problem:
    """The problem behind a reference; the error that building it raised is raised here."""
    found: Problem | Exception = ray.get(reference)
    if isinstance(found, Exception):
        raise found
    return found


def start_problems(configs: Iterable[TrialConfig], at_once: int) -> dict[str, ray.ObjectRef]:
    """Start to build every distinct problem in the cluster; references by problem key.

    The tables land in Ray's shared memory, where trials of one node read them without a copy.
    A lost one is built again by Ray.

    Args:
        configs: of the trials that are left, in the order in which they will run.
        at_once: problems built at the same time.
    """
    references: dict[str, ray.ObjectRef] = {}
    turns: list[object] = [None] * at_once
    for config in configs:
        if config.problem_key not in references:
            # A task starts when the one that is `at_once` before it has ended.
            problem, turn = _build.remote(config.to_json(), turns.pop(0))
            references[config.problem_key] = problem
            turns.append(turn)
    return references
