"""The address of the tracking store: from an option, from the environment, or in the store."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from qhn.core.errors import TrackingError
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import local_folder


@dataclass(frozen=True)
class TrackingLocation:
    """A tracking store.

    Attributes:
        uri: MLflow's tracking URI. It may contain a password, so print `shown` instead.
        database: the file of a local SQLite database; None for a server or another database.
        ours: whether it is the default database in the store's folder, which contains only what
            qhn writes.
    """

    uri: str
    database: Path | None = None
    ours: bool = field(default=False, compare=False)

    @property
    def artifacts(self) -> Path | None:
        """The folder for artifacts, beside a local database; None if a server decides.

        By default MLflow would put artifacts into the working directory, which is another one for
        each run.
        """
        return None if self.database is None else self.database.with_name("artifacts")

    @property
    def shown(self) -> str:
        """The address without user name and password."""
        return self.without_credentials(self.uri)

    def without_credentials(self, text: str) -> str:
        """A text, a message for example, without the user name and password of this address."""
        credentials, at, _ = urlsplit(self.uri).netloc.rpartition("@")
        return text.replace(credentials + at, "") if at else text


def tracking_location(store: Store, uri: str | None = None) -> TrackingLocation:
    """The tracking store at ``uri``, else at ``MLFLOW_TRACKING_URI``, else in the store's folder.

    Args:
        store: where trials are kept.
        uri: MLflow's tracking URI; None if no option names one.

    Raises:
        TrackingError: if the address is not valid, or is that of a database in memory.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return replace(_database(local_folder(store) / "mlflow.db"), ours=True)
    try:
        parts = urlsplit(uri)
    except ValueError:
        # Neither the address nor the error is quoted: the address could not be parsed, so we do not
        # know whether and where it contains a password, and the error may quote it.
        raise TrackingError(
            "the tracking URI must be an address, but this one cannot be read as one; write it as "
            "http://HOST:PORT, with an IPv6 host in brackets, and set the user and the password in "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        ) from None
    if parts.scheme != "sqlite":
        return TrackingLocation(uri)
    path, _, options = uri.removeprefix("sqlite:").partition("?")
    if not path.startswith("///") or path in ("///", "///:memory:"):
        raise TrackingError(
            f"a database must be a file, as in sqlite:////absolute/path.db, but got {uri!r}"
        )
    try:
        return _database(Path(path.removeprefix("///")).absolute(), options)
    except FileNotFoundError:
        raise TrackingError(
            f"a relative path needs a working directory, but that of {uri!r} was deleted; "
            "go to another folder, or give an absolute path as in sqlite:////absolute/path.db"
        ) from None


def _database(path: Path, options: str = "") -> TrackingLocation:
    # MLflow decodes such a path in some places and not in others, and would use two files.
    if "%" in str(path) or "?" in str(path):
        raise TrackingError(
            f"the path of an MLflow database must be without % and ?, but got {path}; "
            "choose another store or --tracking-uri"
        )
    uri = f"sqlite:///{path}"
    return TrackingLocation(f"{uri}?{options}" if options else uri, path)
