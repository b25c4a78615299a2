"""Connects to a Ray that runs already, so that several sweeps share its machines and brokers.

That Ray belongs to somebody else: it is never stopped from here. When a driver disconnects, Ray
ends the actors that it has started, except the brokers of queues, which other drivers may use.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qhn.core.errors import RayError
from qhn.sweeps.driver.entry import check_entry
from qhn.sweeps.driver.handlers import Shield
from qhn.sweeps.driver.local_ray import MISLED, set_environment
from qhn.sweeps.driver.nodes import Node, nodes_of
from qhn.sweeps.driver.raylets import find_raylet
from qhn.sweeps.ray_token import check_token, has_token


@dataclass(frozen=True)
class Cluster:
    """A Ray to which this process is connected.

    Attributes:
        address: the address of its head.
        nodes: its machines, in an order that stays.
    """

    address: str
    nodes: tuple[Node, ...]

    @property
    def machines(self) -> int:
        """How many machines it has."""
        return len(self.nodes)

    @property
    def cpus(self) -> int:
        """How many CPUs these have together, at least one."""
        return max(1, sum(node.cpus for node in self.nodes))


@contextmanager
def attached_ray(address: str, shield: Shield) -> Iterator[Cluster]:
    """Connect to a Ray that runs already, and disconnect at the end.

    Args:
        address: ``auto`` for the one on this machine, or ``HOST:PORT``.
        shield: the context in which Ray is imported, connected and disconnected.

    Raises:
        InvalidValueError: if it cannot be an address.
        RayError: if there is no Ray, or this process cannot use it.
    """
    raylet = find_raylet(address)
    set_environment()
    # By default a driver waits for a minute for a head that is gone. One that was only cut off for
    # a moment is still waited for.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "10")
    if raylet.is_loopback:
        # Otherwise Ray would look for that Ray at this machine's address in its network, and for
        # minutes. It reads this when it is imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ and has_token():
        # A Ray that was started by this user asks for the token. With an address, Ray's driver does
        # not find that out by itself, and is refused.
        os.environ["RAY_AUTH_MODE"] = "token"
    check_token()
    with shield():
        import ray
    for name in MISLED:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with shield():
            check_entry(raylet.address)
            try:
                ray.init(
                    address=raylet.address,
                    log_to_driver=False,
                    logging_level="WARNING",
                    configure_logging=False,
                )
            except (Exception, SystemExit) as error:
                # Some failures of Ray to connect end the process in order, as `sys.exit` does.
                raise RayError(_why_not(address, error)) from error
        yield cluster_now(raylet.address)
    finally:
        with shield():
            ray.shutdown()


def cluster_now(address: str) -> Cluster:
    """The Ray to which this process is connected, as it is now.

    Args:
        address: the address of its head.
    """
    import ray

    # Ray's sums over all machines have resources for each running trial, and never stay the same.
    return Cluster(address, tuple(sorted(nodes_of(ray.nodes()), key=lambda node: node.id)))


def _why_not(address: str, error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return (
        f"the sweep must be able to attach to the Ray at {address}, but it could not: {text} "
        "(that Ray must have the same versions of Ray and Python, and the same token in "
        "~/.ray/auth_token); the log has what Ray said"
    )
