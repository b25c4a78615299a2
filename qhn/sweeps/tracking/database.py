"""A local MLflow database: looked at before MLflow opens it, and made whole and private."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.failures import damaged, database_errors, newer
from qhn.sweeps.tracking.location import TrackingLocation

_SECONDS_FOR_A_LOCK = 10.0
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def check_database(location: TrackingLocation, writable: bool = True) -> bool:
    """See whether there is a local database, and that MLflow will be able to use it.

    MLflow itself would try for minutes where the database is locked or no database at all, and
    then answer in SQLAlchemy's words. A lock is waited for as long as the option ``timeout`` of
    the address says, or ten seconds.

    Args:
        location: where metrics go; nothing is looked at where that is a server.
        writable: whether it must also be writable, not only readable.

    Returns:
        Whether there is a database; False where the location is a server.

    Raises:
        TrackingError: if the database is damaged, locked, unwritable or of a newer MLflow.
    """
    database = location.database
    if database is None:
        return False
    with database_errors(location):
        if not database.exists():
            return False
        # Quoted, since this is an address; its mode keeps SQLite from making a new file.
        address = f"file:{quote(os.fsencode(database))}?mode={'rw' if writable else 'ro'}"
        timeout = _timeout(location.uri)
        opened = sqlite3.connect(address, timeout, isolation_level=None, uri=True)
        with closing(opened) as connection:
            if writable:
                _try_to_write(connection)
            revision = _revision(connection, database)
        if revision is not None and not _knows(revision):
            raise newer(database, revision)
    return True


def make_database(database: Path, make_tables: Callable[[str], object]) -> None:
    """Make a database whole and for its owner alone.

    One half made, by a process that was killed, would be of no use: the tables are made under
    another name, which is then replaced.

    Args:
        database: the file to make.
        make_tables: fills the new database, whose MLflow URI it is given.
    """
    for leftover in database.parent.glob(f"{database.name}.*.unfinished"):
        leftover.unlink()
    # Another name each time: MLflow keeps connections by name for as long as a process lives.
    unfinished = database.with_name(f"{database.name}.{uuid4().hex}.unfinished")
    # Made before SQLite does, so that it is private from its first byte, whatever the umask.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
    make_tables(f"sqlite:///{unfinished}")
    unfinished.replace(database)


def _timeout(uri: str) -> float:
    given = parse_qs(urlsplit(uri).query).get("timeout", [])
    try:
        return float(given[-1]) if given else _SECONDS_FOR_A_LOCK
    except ValueError:
        raise TrackingError(
            f"the timeout of a database must be a number of seconds, but got {given[-1]!r}; "
            "mend the tracking URI"
        ) from None


def _try_to_write(connection: sqlite3.Connection) -> None:
    """Begin to write what is there already: this needs the lock, the file and the folder."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA user_version = {int(version)}")
    connection.execute("ROLLBACK")


def _revision(connection: sqlite3.Connection, database: Path) -> str | None:
    """The revision of MLflow's tables; None for a database without tables."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    if not found:
        return None
    if ("alembic_version",) not in found:
        raise damaged(database, "its tables have no revision")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or not isinstance(row[0], str):
        raise damaged(database, "its tables have no revision")
    return row[0]


def _knows(revision: str) -> bool:
    """Whether the installed MLflow has the migration to a revision.

    The place of its migrations is a private thing of MLflow's, as are the artifact repository in
    `experiment` and the saved views in `pages`; where it is not found, every revision is known.
    """
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        return True
    migrations = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    return not migrations.is_dir() or any(migrations.glob(f"{revision}_*.py"))
