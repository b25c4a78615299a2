"""First contact with a tracking store: quiet, private, and one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SECONDS_TO_ANSWER = 10
# A user's own choice stands. The writer tries again by itself, and must not be stuck in a request
# for the minutes that MLflow's own retries take when a sweep is to end.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def connect(location: TrackingLocation) -> MlflowClient:
    """A client on the tracking store; a local database is made or migrated where needed.

    Raises:
        TrackingError: if a server does not answer, or refuses.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
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
    # MLflow's own client retries for minutes before it says that nobody listens.
    import requests

    way_out = "start it, or name another with --tracking-uri or MLFLOW_TRACKING_URI"
    try:
        answer = requests.get(location.uri, timeout=_SECONDS_TO_ANSWER)
    except requests.RequestException as error:
        raise TrackingError(
            f"the tracking server {location.shown} must answer within {_SECONDS_TO_ANSWER} s, "
            f"but got {type(error).__name__}; {way_out}"
        ) from None
    if answer.status_code in (401, 403) and "MLFLOW_TRACKING_USERNAME" not in os.environ:
        raise TrackingError(
            f"the tracking server {location.shown} wants credentials (HTTP {answer.status_code}); "
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold other processes back while a database may be made or migrated."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
