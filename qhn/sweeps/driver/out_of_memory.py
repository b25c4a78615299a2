"""Trials whose processes Ray has killed because their machine had too little memory left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import PlannedTrial

# What a process takes before it trains: 340 MB were measured, without the libraries of a device.
_PROCESS_BYTES = 512 * 2**20
_WORDS = "node running low on memory"
_USE = re.compile(r"was ([0-9.]+ ?[KMGT]?B used / [0-9.]+ ?[KMGT]?B) limit")


def is_out_of_memory(why: str) -> bool:
    """Whether Ray has killed a process for want of memory, by what Ray says of its end."""
    return _WORDS in why


def second_reservation(trial: PlannedTrial, nodes: Iterable[Mapping[str, Any]]) -> int:
    """How many bytes Ray reserves for a trial that is tried again: twice what it was taken to need.

    It is not more than the largest machine has, because Ray would wait for a larger one for ever.

    Args:
        trial: the trial.
        nodes: the machines, as Ray describes them.
    """
    wanted = 2 * (_PROCESS_BYTES + memory_of([trial.config]).trial)
    sizes = [int(node["Resources"].get("memory", 0)) for node in nodes if node["Alive"]]
    return min([wanted, max(sizes, default=wanted)])


def twice_out_of_memory(why: str, reserved: int) -> str:
    """The message about a trial that was killed for want of memory again.

    Args:
        why: what Ray says of the end of its process.
        reserved: how many bytes were reserved for it.
    """
    found = _USE.search(why)
    use = f" ({found[1]} of its machine)" if found else ""
    return (
        "a machine must have memory for the trials that it runs, but Ray killed this one twice for "
        f"want of memory{use}, the second time with {size_text(reserved)} reserved for it; run "
        "fewer trials at once (--cpus), or on machines with more memory, and use --retry-failed"
    )
