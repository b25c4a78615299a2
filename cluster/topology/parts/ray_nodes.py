"""Ray: the head, the workers, and the gateway to quantum processors.

Each of them is what a machine is in a real cluster: a raylet with processes of its own and a folder
of its own, so that one can be lost and the others go on. All have the address 127.0.0.1, because
with any other one, 127.0.0.2 as well, Ray listens on all interfaces.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from topology import environment
from topology.asking import ask, bearer
from topology.errors import NotYetError
from topology.options import variables
from topology.part import Part
from topology.place import Place

HEAD = "head"
GATEWAY = "gateway"
WORKER = "worker"
#: The ports of each node besides the head's own: those of Ray's agents, and between nodes.
NODE_PORTS = (
    "node-manager",
    "object-manager",
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
)
#: The ports of the head.
HEAD_PORTS = ("dashboard", "gcs")
# How much of the memory that is free all nodes may take together. Ray would let each of them take
# most of the machine.
_SHARE = 0.6
_OBJECTS = 0.2
_LEAST_OBJECTS = 100 * 2**20
_SETTINGS = {
    **environment.NODE,
    **environment.LOOPBACK,
    "RAY_DEDUP_LOGS": "0",
    # Nodes whose head is lost for good must end, so that they can be started again.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
}


def head(place: Place) -> Part:
    """The head. Trials do not run on it; the drivers of submitted sweeps do."""
    ports = place.ports[HEAD]
    command = (
        "--head",
        f"--port={ports['gcs']}",
        f"--dashboard-host={place.host}",
        f"--dashboard-port={ports['dashboard']}",
        *_options(place, HEAD, cpus=0),
    )
    return Part(
        HEAD,
        _ray_start(command),
        {**_environment(place), **environment.tracking(place)},
        lambda launched: _check_head(place, launched),
    )


def worker(place: Place, name: str) -> Part:
    """A worker, on which simulated trials run."""
    return Part(
        name,
        _ray_start((_address(place), *_options(place, name, place.options.cpus_per_worker))),
        _environment(place),
        lambda launched: _check_node(place, name, launched),
        needs=(HEAD,),
    )


def gateway(place: Place) -> Part:
    """The node of trials on quantum processors, which alone has the provider's secrets.

    It has no CPUs, so that simulated trials, which have no need of the secrets, run elsewhere.
    """
    own = variables(Path(place.options.gateway_env)) if place.options.gateway_env else {}
    lanes = {f"lane:{name}": slots for name, slots in place.options.lanes.items()}
    options = _options(place, GATEWAY, 0, lanes)
    return Part(
        GATEWAY,
        _ray_start((_address(place), *options)),
        {**_environment(place), **own},
        lambda launched: _check_node(place, GATEWAY, launched),
        needs=(HEAD,),
    )


def _ray_start(options: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-m", "topology.ray_start", "start", "--block", *options)


def _address(place: Place) -> str:
    return f"--address={place.host}:{place.ports[HEAD]['gcs']}"


def _options(
    place: Place, name: str, cpus: int, resources: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    nodes = 2 + max(1, place.options.workers)
    memory = int(psutil.virtual_memory().available * _SHARE / nodes)
    objects = max(_LEAST_OBJECTS, int(memory * _OBJECTS))
    return (
        f"--node-ip-address={place.host}",
        f"--node-name={name}",
        f"--num-cpus={cpus}",
        "--num-gpus=0",
        f"--resources={json.dumps(resources or {})}",
        f"--memory={memory - objects}",
        f"--object-store-memory={objects}",
        f"--temp-dir={place.folder / 'ray' / name}",
        *(f"--{port}-port={place.ports[name][port]}" for port in NODE_PORTS),
        # Processes of trials take any free ports.
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--disable-usage-stats",
    )


def _environment(place: Place) -> dict[str, str]:
    return {
        **environment.base(),
        **_SETTINGS,
        **environment.ray(place),
        **environment.store(place),
    }


def _check_head(place: Place, launched: float) -> None:
    """The job server must answer, as well as the head's own node."""
    ask(f"{place.url(HEAD, 'dashboard')}/api/jobs/", bearer(place.keys.ray))
    _check_node(place, HEAD, launched)


def _check_node(place: Place, name: str, launched: float) -> None:
    """The head must know the node as it was started last, and not only an earlier one."""
    url = f"{place.url(HEAD, 'dashboard')}/nodes?view=summary"
    answer = ask(url, bearer(place.keys.ray))
    port = place.ports[name]["node-manager"]
    for found in answer["data"]["summary"]:
        node = found.get("raylet", {})
        is_it = node.get("nodeManagerPort") == port and node.get("state") == "ALIVE"
        if is_it and int(node["startTimeMs"]) / 1000 >= launched:
            return
    raise NotYetError(f"Ray's head does not list {name} among its nodes")
