"""First contact with a tracking store: quiet, private, and one process at a time."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from uuid import uuid4

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SECONDS_TO_ANSWER = 10
_SECONDS_OF_A_REQUEST = 20
# A user's own choice of these stands.
_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}


def connect(location: TrackingLocation) -> MlflowClient:
    """A client on the tracking store; a local database is made or migrated where needed.

    Raises:
        TrackingError: if a server does not answer, or refuses.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # The writer tries again by itself, and knows what a repeated request may do: MLflow's own
    # retries would make a second run where an answer is late, and hold an ending sweep for minutes.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_SECONDS_OF_A_REQUEST))
    if location.uri.startswith(("http://", "https://")):
        _check_server(location)
    if location.database is not None:
        with _alone(location.database):
            if not location.database.exists():
                _make(location.database)
            return _client(location.uri)
    return _client(location.uri)


def _client(uri: str) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    # The first request makes or migrates the tables of a database.
    client.search_experiments(max_results=1)
    return client


def _make(database: Path) -> None:
    """Make a database whole: one half made, by a process that was killed, is of no use."""
    for leftover in database.parent.glob(f"{database.name}.*.unfinished"):
        leftover.unlink()
    # Another name each time: MLflow keeps connections by name for as long as a process lives.
    unfinished = database.with_name(f"{database.name}.{uuid4().hex}.unfinished")
    _client(f"sqlite:///{unfinished}")
    unfinished.replace(database)


def _check_server(location: TrackingLocation) -> None:
    """Whether anybody listens: only MLflow's own requests know the credentials."""
    parts = urlsplit(location.uri)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return  # a proxy finds the server where this machine may not
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((host, port), _SECONDS_TO_ANSWER).close()
    except (OSError, ValueError) as error:
        raise TrackingError(
            f"the tracking server {location.shown} must answer within {_SECONDS_TO_ANSWER} s, "
            f"but got: {error}; start it, or name another with --tracking-uri or "
            "MLFLOW_TRACKING_URI"
        ) from None


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold other processes back while a database may be made or migrated."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
