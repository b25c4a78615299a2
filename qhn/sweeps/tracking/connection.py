"""Opens a tracking store: without MLflow's telemetry, and safely if several processes do so."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from filelock import FileLock

from qhn.core.errors import TrackingError
from qhn.sweeps.store.local import leave_a_deleted_folder
from qhn.sweeps.tracking.database import PRIVATE_FOLDER, check_database, make_database
from qhn.sweeps.tracking.failures import database_errors, tracking_errors
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SECONDS_TO_ANSWER = 10
_SECONDS_OF_A_REQUEST = 20
_DEFAULT_EXPERIMENT = "0"
# These are set only if the user has not set them.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # At the end of each run MLflow would ask a server for the run once more, to print its address,
    # with the password that the address may contain.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def connect(location: TrackingLocation) -> MlflowClient:
    """Open the tracking store. If a local database is missing, it is made.

    Raises:
        TrackingError: if a server does not answer or refuses, or if a database cannot be used.
    """
    set_environment()
    # The writer tries again by itself, and knows which requests may be repeated. MLflow's own
    # retries would create a run a second time when an answer is late, and would delay the end of a
    # sweep by minutes.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_SECONDS_OF_A_REQUEST))
    if location.uri.startswith(("http://", "https://")):
        _check_server(location)
    if location.database is not None:
        return _open_database(location, location.database)
    leave_a_deleted_folder(Path("/"))
    with tracking_errors(location):
        return _client(location.uri)


def connect_to_read(location: TrackingLocation) -> MlflowClient:
    """Open a local database that exists, without taking the lock that writers need."""
    set_environment()
    leave_a_deleted_folder(Path("/"))
    return _client(location.uri)


def set_environment() -> None:
    """Set what keeps MLflow quiet, unless the user has set it. It must come before its import."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def _client(uri: str) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    # MLflow makes or migrates the tables of a database at the first request. That must happen here,
    # while `_open_database` holds its lock.
    client.search_experiments(max_results=1)
    return client


def _new_database(uri: str) -> None:
    """Make the tables of a database, without the empty experiment that MLflow puts into it."""
    client = _client(uri)
    # MLflow only marks what is deleted, and that is what we need here: when it opens a database it
    # looks for the experiment with this id, and makes it again if it is missing altogether.
    client.delete_experiment(_DEFAULT_EXPERIMENT)


def _open_database(location: TrackingLocation, database: Path) -> MlflowClient:
    with database_errors(location):
        database.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        leave_a_deleted_folder(database.parent)
        # If two processes make or migrate the same tables at the same time, both fail.
        with FileLock(database.with_name(f"{database.name}.lock")):
            if not check_database(location):
                make_database(database, _new_database)
            return _client(location.uri)


def _check_server(location: TrackingLocation) -> None:
    """Check that a server listens. Whether it accepts us is seen from MLflow's first request."""
    parts = urlsplit(location.uri)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return  # The proxy may reach a server that this machine cannot reach.
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((host, port), _SECONDS_TO_ANSWER).close()
    except (OSError, ValueError) as error:
        raise TrackingError(
            f"the tracking server {location.shown} must answer within {_SECONDS_TO_ANSWER} s, "
            f"but got: {error}; start it, or name another with --tracking-uri or "
            "MLFLOW_TRACKING_URI"
        ) from None
