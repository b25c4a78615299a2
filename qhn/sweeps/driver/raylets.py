"""Finds the Rays of which this machine is a part, by their processes.

Each machine of a Ray has a process called raylet, through which drivers on that machine connect.
Ray can search as well, but it tries for minutes if it finds nothing, and does not say why.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

import psutil

from qhn.core.errors import InvalidValueError, RayError
from qhn.sweeps.driver.neighbours import private_folder

#: The address for the Ray of which this machine is a part, wherever its head is.
AUTO = "auto"
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_ARGUMENT = re.compile(r"--(gcs-address|node_ip_address|session_dir)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Raylet:
    """A Ray's process on this machine.

    Attributes:
        address: the address of the head of its Ray, as Ray knows it.
        node_ip: the address of this machine in that Ray.
        folder: the folder with its Ray's sockets and logs.
    """

    address: str
    node_ip: str
    folder: str

    @property
    def is_loopback(self) -> bool:
        """Whether its Ray listens only on this machine."""
        with suppress(ValueError):
            return ip_address(self.node_ip).is_loopback
        return False


def check_address(address: str) -> str:
    """Check the address of a Ray, without looking whether there is one.

    Raises:
        InvalidValueError: if it is neither ``auto`` nor ``HOST:PORT``.
    """
    if address != AUTO and _ADDRESS.fullmatch(address) is None:
        raise InvalidValueError(
            f"the address of a Ray must be {AUTO} or HOST:PORT, but got {address!r}; "
            "`ray start --head` prints it (Ray's client, ray://, cannot run sweeps). At the "
            "address of a job server, http://HOST:PORT, use `qhn sweep submit`"
        )
    return address


def find_raylet(address: str) -> Raylet:
    """The process through which a driver on this machine connects to a Ray.

    Raises:
        InvalidValueError: if the address cannot be one.
        RayError: if there is none, or if ``auto`` could mean several.
    """
    check_address(address)
    address = _named_by_ray(address)
    theirs = f"{private_folder()}/"
    all_of_them = list(local_raylets())
    # The Ray of another sweep ends with that sweep, and all that is attached to it.
    found = [raylet for raylet in all_of_them if not raylet.folder.startswith(theirs)]
    if address != AUTO:
        names = _names(address)
        wanted = [raylet for raylet in found if names & _names_of(raylet)]
        if wanted:
            return wanted[0]
        if any(names & _names_of(raylet) for raylet in all_of_them):
            raise RayError(
                f"a Ray to attach to must outlive the sweep, but the one at {address} belongs to "
                "another sweep and ends with it; start one with `ray start --head`"
            )
        raise RayError(
            f"this machine must be a part of the Ray at {address}, but no process of that Ray "
            f"runs here{_others(found)}; if there is a Ray at this address, make this machine a "
            f"part of it with `ray start --address={address}`. The port must be that of the head, "
            "mostly 6379, and not that of its job server, mostly 8265"
        )
    if len({raylet.address for raylet in found}) == 1:
        return found[0]
    if found:
        raise RayError(
            f"--address {AUTO} needs a single Ray on this machine, but there are several"
            f"{_others(found)}; name one of them"
        )
    raise RayError(
        f"--address {AUTO} needs a Ray of which this machine is a part, but none runs here; start "
        "one with `ray start --head`, or leave --address out: then the sweep starts its own"
    )


def local_raylets() -> Iterator[Raylet]:
    """The raylets that run on this machine and whose arguments this user may read."""
    for process in psutil.process_iter():
        # A process may end while we look at it, and we may not look at all of them.
        with suppress(psutil.Error):
            if process.name() == "raylet":
                found = filter(None, map(_ARGUMENT.fullmatch, process.cmdline()))
                named = {match[1]: match[2] for match in found}
                if len(named) == 3:
                    address, node_ip = named["gcs-address"], named["node_ip_address"]
                    yield Raylet(address, node_ip, named["session_dir"])


def _named_by_ray(address: str) -> str:
    """The address that ``auto`` stands for, if Ray's own variable says so, as it does in jobs."""
    named = os.environ.get("RAY_ADDRESS", "")
    return named if address == AUTO and _ADDRESS.fullmatch(named) else address


def _names(address: str) -> set[str]:
    """The address, and what it is if its host is a name."""
    host, _, port = address.rpartition(":")
    host, found = host.strip("[]"), {address}
    with suppress(OSError, UnicodeError):
        found |= {f"{info[4][0]}:{port}" for info in socket.getaddrinfo(host, None)}
    return found


def _names_of(raylet: Raylet) -> set[str]:
    names = _names(raylet.address)
    host, _, port = raylet.address.rpartition(":")
    if host.strip("[]") == raylet.node_ip:
        # The head is on this machine, where people may call it so.
        names |= {f"127.0.0.1:{port}", f"localhost:{port}"}
    return names


def _others(found: list[Raylet]) -> str:
    addresses = sorted({raylet.address for raylet in found})
    return f" (here are: {', '.join(addresses)})" if addresses else ""
