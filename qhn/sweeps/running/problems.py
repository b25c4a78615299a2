"""Loss tables, computed once per data set and network and shared by all trials of a node."""

from __future__ import annotations

from collections.abc import Iterable

import ray

from qhn.core.problem import Problem
from qhn.sweeps import build
from qhn.sweeps.config import TrialConfig


# No CPU is reserved: trials may hold them all, and wait for the table that waits for a CPU.
@ray.remote(num_cpus=0, num_returns=2)  # type: ignore[untyped-decorator]
def _build(config_json: str, turn: object) -> tuple[Problem, bool]:
    return build.problem(TrialConfig.from_json(config_json)), True


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
