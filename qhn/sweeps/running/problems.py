"""Loss tables, computed once per data set and network and shared by all trials of a node."""

from __future__ import annotations

from collections.abc import Iterable

import ray

from qhn.core.problem import Problem
from qhn.sweeps import build
from qhn.sweeps.config import TrialConfig


@ray.remote(num_cpus=1)  # type: ignore[untyped-decorator]
def _build(config_json: str) -> Problem:
    return build.problem(TrialConfig.from_json(config_json))


def start_problems(configs: Iterable[TrialConfig]) -> dict[str, ray.ObjectRef]:
    """Start to build every distinct problem in the cluster; references by problem key.

    The tables land in Ray's shared memory, where trials of one node read them without a copy.
    A lost one is built again by Ray.
    """
    references: dict[str, ray.ObjectRef] = {}
    for config in configs:
        if config.problem_key not in references:
            references[config.problem_key] = _build.remote(config.to_json())
    return references
