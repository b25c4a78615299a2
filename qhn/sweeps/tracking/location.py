"""Where metrics go: an explicit address, else the environment's, else a database in the store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from qhn.sweeps.store import Store


@dataclass(frozen=True)
class TrackingLocation:
    """A tracking store.

    Attributes:
        uri: MLflow's tracking URI; it may hold credentials, so print `shown` instead.
        database: the file of a local SQLite database; None for a server or another database.
    """

    uri: str
    database: Path | None = None

    @property
    def artifacts(self) -> Path | None:
        """Folder for artifacts beside a local database; None where a server decides.

        MLflow itself would put them into the working directory, where nobody looks for them.
        """
        return None if self.database is None else self.database.with_name("artifacts")

    @property
    def shown(self) -> str:
        """The address without user name and password."""
        parts = urlsplit(self.uri)
        if "@" not in parts.netloc:
            return self.uri
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def tracking_location(store: Store, uri: str | None = None) -> TrackingLocation:
    """Resolve ``uri``, else ``MLFLOW_TRACKING_URI``, else ``<store>/mlflow.db``."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{store.root / 'mlflow.db'}"
    if not uri.startswith("sqlite:///"):
        return TrackingLocation(uri)
    return TrackingLocation(uri, Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute())
