"""Trials whose processes Ray has killed because their machine had too little memory left."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qhn.sweeps.driver.lane import Lane
from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.driver.placement import largest_memory, needed_bytes
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.planning.plan import PlannedTrial

_WORDS = "node running low on memory"
_USE = re.compile(r"was ([0-9.]+ ?[KMGT]?B used / [0-9.]+ ?[KMGT]?B) limit")


def is_out_of_memory(why: str) -> bool:
    """Whether Ray has killed a process for want of memory, by what Ray says of its end."""
    return _WORDS in why


def second_reservation(trial: PlannedTrial, lane: Lane, nodes: Iterable[Node]) -> int:
    """How many bytes Ray reserves for a trial that is tried again: twice what it was taken to need.

    It is not more than the largest machine that can get the trial has, because Ray would wait for a
    larger one for ever.

    Args:
        trial: the trial.
        lane: its lane.
        nodes: the machines.
    """
    wanted = 2 * needed_bytes([trial])
    return min(wanted, largest_memory(nodes, lane.resources) or wanted)


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
