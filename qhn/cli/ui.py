"""``qhn ui`` shows MLflow's own pages for the right database."""

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
# The server's own news would bury the one line that people need. A user's own choice stands.
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
        typer.Argument(help="The sweep to link to; else the latest ones.", show_default=False),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 5000,
) -> None:
    """Browse sweeps in the MLflow UI, on this machine only (loopback); Ctrl-C ends it.

    The links open a sweep as a leaderboard: its groups, the best first, with columns and charts
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
    # Looked up before the server starts: afterwards the database is busy, and the terminal as well.
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
    """What to open: table and charts of one sweep, or the leaderboards of the latest ones."""
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
