"""Checks a local MLflow database before MLflow opens it, and makes a new one that is private."""

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
    """Check whether a local database exists, and that MLflow will be able to use it.

    If the database is locked, or the file is no database at all, MLflow itself would try for
    minutes and then raise an error of SQLAlchemy that says little. Here a lock is waited for as
    many seconds as the option ``timeout`` of the address says, or ten.

    Args:
        location: the tracking store. If it is a server, nothing is checked.
        writable: whether the database must be writable, not only readable.

    Returns:
        Whether the database exists. False if the location is a server.

    Raises:
        TrackingError: if the database is damaged, locked, unwritable or of a newer MLflow.
    """
    database = location.database
    if database is None:
        return False
    with database_errors(location):
        if not database.exists():
            return False
        # The address has a mode, because SQLite would otherwise make a file that is missing. An
        # address needs its special characters quoted.
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
    """Make a database that only its owner can read.

    A process that is killed meanwhile must not leave half a database. So the tables are made in a
    file with another name, which is renamed at the end.

    Args:
        database: the file to make.
        make_tables: a function that gets the MLflow URI of the new database and makes its tables.
    """
    for leftover in database.parent.glob(f"{database.name}.*.unfinished"):
        leftover.unlink()
    # The name is another one each time, because MLflow keeps its connections by the name of the
    # file, for as long as a process lives.
    unfinished = database.with_name(f"{database.name}.{uuid4().hex}.unfinished")
    # We make the file before SQLite does, so that it is private from its first byte on, whatever
    # the umask is.
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
    """Try to write, and undo it: this needs the lock, and permission for the file and folder."""
    # A value is written that the database has already, so that nothing changes in any case.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA user_version = {int(version)}")
    connection.execute("ROLLBACK")


def _revision(connection: sqlite3.Connection, database: Path) -> str | None:
    """The revision of MLflow's tables; None if the database has no tables."""
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

    MLflow does not document the folder of its migrations, as it does not document the artifact
    repository in `experiment` and the saved views in `pages`. If the folder is not found, this
    returns True, and MLflow itself will complain about a database that it cannot use.
    """
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        return True
    migrations = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    return not migrations.is_dir() or any(migrations.glob(f"{revision}_*.py"))
