"""``qhn ui``: starts MLflow's server for the store's database, and prints links to the sweeps."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qhn.cli.announcing import print_when_ready
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption
from qhn.core.errors import NotFoundError, TrackingError

if TYPE_CHECKING:
    from qhn.sweeps.tracking.lookup import TrackedSweep

LOOPBACK = "127.0.0.1"
# Without these, the server prints so much that the links cannot be found. They are set only if the
# user has not set them.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}
_MOST_LINKS = 10
_QUIET = ["--uvicorn-opts", "--log-level warning"]


def ui(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The sweep to print links for; without it, the latest ones.", show_default=False
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port of the server; 0 takes a free one.")
    ] = 5000,
) -> None:
    """Browse sweeps in MLflow. Only this machine can reach the server, and Ctrl-C ends it.

    The links open a sweep as a leaderboard: its groups with the best first, and columns and charts
    that compare them.
    """
    from qhn.sweeps.store import open_store
    from qhn.sweeps.tracking import check_database, tracking_location
    from qhn.sweeps.tracking.lookup import find_sweeps

    location = tracking_location(open_store(store), tracking_uri)
    if location.database is None:
        raise TrackingError(
            f"`qhn ui` shows a local database, but the tracking store is {location.shown}; "
            "open that address in a browser"
        )
    if not check_database(location, writable=False):
        raise NotFoundError(
            f"no sweep has been tracked in {location.shown} yet; "
            "run one first (`qhn sweep run FILE`), or name its --store"
        )
    for variable, value in _SETTINGS.items():
        os.environ.setdefault(variable, value)
    # The sweeps are looked up before the server starts, because this process becomes the server.
    sweeps = find_sweeps(location, name)
    port = _free_port(port)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    server = f"http://{LOOPBACK}:{port}/"
    console.print("MLflow is starting, which takes some seconds ...")
    ready = f"MLflow UI: http://{LOOPBACK}:{port}  (Ctrl-C ends it)"
    # A browser that opens a link before MLflow answers says that there is no such page.
    print_when_ready(f"{server}health", [ready, *_links(sweeps, server)])
    # MLflow keeps some things in the working directory, which may also have been deleted. Python
    # would look there for modules as well, but for -P.
    os.chdir(location.database.parent)
    stores = ["--backend-store-uri", location.uri, "--registry-store-uri", location.uri]
    command = ["-P", "-m", "mlflow", "ui", *stores, *_QUIET]
    # Replaces this process, so that signals reach the server itself.
    os.execv(sys.executable, [sys.executable, *command, "--host", LOOPBACK, "--port", str(port)])


def _links(sweeps: Sequence[TrackedSweep], server: str) -> Iterator[str]:
    """Lines with links: to table and charts of one sweep, or to the leaderboards of several."""
    if len(sweeps) == 1 and sweeps[0].charts is not None:
        yield f"leaderboard: {server}{sweeps[0].address}"
        yield f"charts:      {server}{sweeps[0].charts}"
        return
    width = max((len(sweep.name) for sweep in sweeps), default=0) + 1
    for sweep in sweeps[:_MOST_LINKS]:
        yield f"{sweep.name + ':':{width}} {server}{sweep.address}"
    if len(sweeps) > _MOST_LINKS:
        yield f"and {len(sweeps) - _MOST_LINKS} more; `qhn ui NAME` links to one of them"
    for sweep in sweeps[:_MOST_LINKS]:
        if sweep.charts is None:
            yield f"{sweep.name} has no leaderboard yet; `qhn sweep resume {sweep.name}` makes it"


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise TrackingError(
                f"the port must be free, but {port} is in use; choose another with --port, "
                "or --port 0 for any"
            ) from None
        return int(probe.getsockname()[1])
