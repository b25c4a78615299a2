"""One part of a cluster: how it is started, and how it is asked whether it is healthy."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Part:
    """A part.

    Attributes:
        name: its name, such as ``worker-1``.
        command: the program and its arguments.
        environment: the variables of its processes.
        check: sends it a real request. Its argument is when the part's first process was
            launched, in seconds since 1970. It raises `NotYetError` or an error of the network.
        needs: the parts that must be healthy before it starts.
        prepare: makes what the part needs on the disk. It may be called again.
        account: the user as whom it runs; None for this one.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    check: Callable[[float], None]
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = field(default=lambda: None)
    account: pwd.struct_passwd | None = None
