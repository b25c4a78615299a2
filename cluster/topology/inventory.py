"""Which parts a cluster has, and which ports each of them takes."""

from __future__ import annotations

from collections.abc import Iterable

from topology.errors import TopologyError
from topology.options import Options
from topology.part import Part
from topology.parts import mlflow_server, postgres, ray_nodes, s3
from topology.place import Place

_PORTS = {
    ray_nodes.HEAD: (*ray_nodes.HEAD_PORTS, *ray_nodes.NODE_PORTS),
    mlflow_server.NAME: ("http",),
    postgres.NAME: ("sql",),
    s3.NAME: ("http",),
}


def part_names(options: Options) -> list[str]:
    """The parts that a cluster has at first."""
    return [
        ray_nodes.HEAD,
        mlflow_server.NAME,
        *([postgres.NAME] if options.postgres else []),
        *([s3.NAME] if options.store is None else []),
        ray_nodes.GATEWAY,
        *(f"{ray_nodes.WORKER}-{i}" for i in range(1, options.workers + 1)),
    ]


def next_worker(names: Iterable[str]) -> str:
    """The name of one more worker."""
    count = len([name for name in names if is_node(name) and name != ray_nodes.GATEWAY])
    return f"{ray_nodes.WORKER}-{count + 1}"


def is_node(name: str) -> bool:
    """Whether a part is a node of Ray besides the head."""
    return name == ray_nodes.GATEWAY or name.startswith(f"{ray_nodes.WORKER}-")


def port_names(name: str) -> tuple[str, ...]:
    """What the ports of a part are for."""
    return _PORTS.get(name, ray_nodes.NODE_PORTS)


def part(place: Place, name: str) -> Part:
    """A part of a cluster.

    Raises:
        TopologyError: if what it needs is not installed, or there is no such part.
    """
    if name == ray_nodes.HEAD:
        return ray_nodes.head(place)
    if name == ray_nodes.GATEWAY:
        return ray_nodes.gateway(place)
    if is_node(name):
        return ray_nodes.worker(place, name)
    others = {mlflow_server.NAME: mlflow_server.mlflow_server, postgres.NAME: postgres.postgres}
    others[s3.NAME] = s3.s3
    if name not in others:
        raise TopologyError(f"a cluster has no part {name}")
    return others[name](place)
