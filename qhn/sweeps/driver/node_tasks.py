"""Runs a function on several machines of a Ray at once, for what is looked at before a sweep.

Each machine gets a task that Ray must run there and nowhere else. It takes no CPU, so that it does
not wait for trials.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

# What Ray says of a task for a machine that was lost before or while it ran there. Its list of
# machines shows such a machine for some seconds more.
_LOST_NODE = ("doesn't exist any more", "the node it was running on is dead")


def on_each(
    function: Any,
    arguments: Mapping[str, tuple[Any, ...]],
    patience_s: float,
    *,
    note_time: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Run a function on several machines at once.

    Args:
        function: the function.
        arguments: its arguments on each machine, by Ray's id of the machine.
        patience_s: how many seconds to wait.
        note_time: whether each result is a pair with the time at which it has arrived.

    Returns:
        The results, and the reasons of those who have failed. Who does not answer is in neither.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote(num_cpus=0, max_retries=0)(function)
    nodes = {
        remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        ).remote(*given): node
        for node, given in arguments.items()
    }
    results: dict[str, Any] = {}
    failures: dict[str, str] = {}
    waiting, deadline = list(nodes), time.monotonic() + patience_s
    while waiting and (left := deadline - time.monotonic()) > 0:
        ready, waiting = ray.wait(waiting, timeout=left)
        received = time.time()
        for reference in ready:
            try:
                result = ray.get(reference)
            except Exception as error:  # noqa: BLE001 - a machine may fail in any way
                failures[nodes[reference]] = _last_words(error)
            else:
                results[nodes[reference]] = (result, received) if note_time else result
    for reference in waiting:
        ray.cancel(reference, force=True)
    return results, failures


def have_left(silent: Mapping[str, str]) -> set[str]:
    """Those of the machines without an answer that have left the Ray since they were asked.

    Args:
        silent: why there is no answer, by Ray's id of the machine.
    """
    if not silent:
        return set()
    import ray

    there = {entry["NodeID"] for entry in ray.nodes() if entry["Alive"]}
    return {
        node
        for node, why in silent.items()
        if node not in there or any(words in why for words in _LOST_NODE)
    }


def _last_words(error: Exception) -> str:
    """The last line of an error of Ray, which quotes a whole traceback of the other machine."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return said[-1] if said else type(error).__name__
