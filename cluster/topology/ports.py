"""Chooses ports on which nobody listens."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Sequence

from topology.errors import TopologyError

# Systems hand out the ports above to programs that do not ask for a certain one. A part that is
# started again must find its port free, so ports are chosen below.
_FIRST, _LAST = 20_000, 31_000
_MOST = 65_535


def is_free(port: int) -> bool:
    """Whether nobody listens on a port, on whichever address of this machine."""
    with socket.socket() as probe:
        # As servers do, so that connections that have ended lately are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def choose(names: Sequence[str], first: int | None, taken: Sequence[int] = ()) -> dict[str, int]:
    """A port for each name.

    Args:
        names: what the ports are for.
        first: the first port; the others follow without a gap. None for any free ones.
        taken: ports that this cluster uses already. With `first`, the new ones follow them.

    Raises:
        TopologyError: if ports that had to be free are not.
    """
    if first is None:
        free = (port for port in _candidates() if port not in taken and is_free(port))
        chosen = dict(zip(names, free, strict=False))
        if len(chosen) < len(names):
            raise TopologyError(f"{len(names)} ports must be free, but only {len(chosen)} are")
        return chosen
    start = max([first - 1, *taken]) + 1
    chosen = {name: start + i for i, name in enumerate(names)}
    used = [f"{port} ({name})" for name, port in chosen.items() if not is_free(port)]
    if used:
        raise TopologyError(
            f"with --port {first} these ports must be free, but something listens on them or may: "
            f"{', '.join(used)}; give another --port, or none"
        )
    return chosen


def _candidates() -> Iterator[int]:
    start = random.randrange(_FIRST, _LAST)
    yield from range(start, _LAST)
    yield from range(_FIRST, start)
