"""The one address of this machine on which a node of a cluster is found."""

from __future__ import annotations

import ipaddress
import socket

import psutil

from topology.errors import TopologyError

_LAST_PORT = 65_535


def address_of(interface: str) -> str:
    """The IPv4 address of an interface of this machine.

    Args:
        interface: its name, such as ``eth0``, or its address.

    Raises:
        TopologyError: if this machine has no such interface, or it has no such address.
    """
    there = {
        name: [one.address for one in addresses if one.family == socket.AF_INET]
        for name, addresses in psutil.net_if_addrs().items()
    }
    if there.get(interface):
        return there[interface][0]
    if any(interface in addresses for addresses in there.values()):
        return interface
    known = ", ".join(f"{name} ({found[0]})" for name, found in there.items() if found)
    raise TopologyError(
        f"--interface must be one interface of this machine, by name or address, but got "
        f"{interface}; there are: {known}"
    )


def address_towards(head: str, interface: str | None) -> str:
    """The address of this machine from which it reaches the head, and at which it is reached.

    Args:
        head: the head as ``HOST:PORT``.
        interface: the name or address of an interface; None for the one that leads to the head.

    Raises:
        TopologyError: if the head's address is wrong, or the interface cannot lead to it.
    """
    host, _, port = head.rpartition(":")
    if not (host and port.isdecimal() and int(port) <= _LAST_PORT):
        raise TopologyError(f"--address must be HOST:PORT of the head, but got {head}")
    try:
        # A datagram socket sends nothing when it is connected, but then knows its own address.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((host, int(port)))
            leading = str(way.getsockname()[0])
    except OSError as error:
        raise TopologyError(
            f"the head must be reachable, but there is no way to {host} ({error.strerror})"
        ) from None
    if interface is None:
        return leading
    chosen = address_of(interface)
    if ipaddress.ip_address(chosen).is_loopback and not ipaddress.ip_address(leading).is_loopback:
        raise TopologyError(
            f"--interface must lead to the head at {host}, but {interface} is the loopback "
            f"interface; leave the option out to use {leading}"
        )
    return chosen
