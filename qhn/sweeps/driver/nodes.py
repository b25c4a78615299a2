"""The machines of a Ray, as they are named to people, with what a sweep may use of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qhn.sweeps.driver.lane import is_of_lane, resource_of
from qhn.sweeps.planning.machine import Machine

#: So many characters of Ray's id of a machine tell it from all others.
_ID_LETTERS = 8


@dataclass(frozen=True)
class Node:
    """A machine of a Ray that is there now.

    Attributes:
        id: Ray's id.
        name: its name for people.
        resources: the amount of each of its resources, by Ray's names.
    """

    id: str
    name: str
    resources: Mapping[str, float]

    @property
    def cpus(self) -> int:
        """How many simulated trials Ray lets it run at once."""
        return int(self.resources.get("CPU", 0))

    @property
    def ray_memory(self) -> int:
        """The bytes that Ray gives to processes which reserve memory. Its object store has more."""
        return int(self.resources.get("memory", 0))

    @property
    def machine(self) -> Machine:
        """Its memory, as much as Ray was told to use."""
        store = int(self.resources.get("object_store_memory", 0))
        return Machine(self.ray_memory + store, store)

    @property
    def takes_trials(self) -> bool:
        """Whether it has CPUs for simulated trials, or the resource of any lane."""
        return self.cpus > 0 or any(is_of_lane(name) for name in self.resources)

    def slots(self, lane: str) -> int:
        """How many trials of a lane it may hold at once by the lane's own resource."""
        return int(self.resources.get(resource_of(lane), 0))


def nodes_of(listed: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The machines that are there now.

    Args:
        listed: the machines of a Ray, as ``ray.nodes()`` lists them.
    """
    there = [entry for entry in listed if entry["Alive"]]
    number = Counter(map(_name, there))
    nodes = []
    for entry in there:
        node, name = str(entry["NodeID"]), _name(entry)
        shown = name if number[name] == 1 else f"{name} {node[:_ID_LETTERS]}"
        nodes.append(Node(node, shown, entry["Resources"]))
    return nodes


def _name(entry: Mapping[str, Any]) -> str:
    host, address = entry["NodeManagerHostname"], entry["NodeManagerAddress"]
    return str(host) if host == address else f"{host} ({address})"
