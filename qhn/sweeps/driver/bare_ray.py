"""Leaves out what Ray starts beside its own work, where it is started for one sweep only."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Methods of Ray's class of a machine, each of which starts a process in Python:
# - the one that serves the dashboard, which starts with `include_dashboard=False` too and is waited
#   for, and then does nothing;
# - the one that adds machines to a cluster and removes them;
# - the one that copies the output of workers to the driver's terminal, which is switched off.
_HELPERS = ("start_api_server", "start_monitor", "start_log_monitor")


@contextmanager
def bare_ray() -> Iterator[None]:
    """Let Ray start with its scheduler, its object store and its workers alone.

    A Ray that is started in this context has no dashboard, no job server, no autoscaler, and does
    not show the output of workers. Nobody else can connect to it, so nobody can miss them. On two
    cores they take half of the time until Ray has started, and most of the time until it has ended.

    Ray must be imported already.
    """
    with _without_dashboard_packages(), _without_helpers():
        yield


@contextmanager
def _without_helpers() -> Iterator[None]:
    """Replace the methods that start processes which are not needed, and put them back."""
    machine: Any = importlib.import_module("ray._private.node").Node
    before = {name: getattr(machine, name) for name in _HELPERS}

    def leave_out(self: object, **options: object) -> None:
        """Start nothing."""

    for name in _HELPERS:
        setattr(machine, name, leave_out)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(machine, name, method)


@contextmanager
def _without_dashboard_packages() -> Iterator[None]:
    """Let Ray start as if the packages of its dashboard were not installed.

    With them, an agent serves HTTP on each machine of a Ray, always at the same port. If several
    Rays run on a machine, each but the first tries for 3 s to get that port before it has started.
    """
    # While this entry is None, importing the module fails. Ray imports it to find out.
    name = "ray.dashboard.optional_deps"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
