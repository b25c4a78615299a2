"""Makes writing to the default SQLite database faster, which is safe because it can be rebuilt."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any


def write_without_waiting(database: Path) -> None:
    """Let this process write to one SQLite database without waiting for the disk.

    This halves the time to write a run. A process that is killed does no harm, because the
    operating system has what was written; but a power cut can damage the database. So this is only
    for the default database in the store's folder: everything in it is in the store as well, and
    it is written anew when the sweeps are run again. A database that the user has named keeps
    SQLite's default, because other programs may have put something into it that is nowhere else.

    Args:
        database: the file. Connections to other databases are not changed.
    """
    from sqlalchemy import Engine, event

    # MLflow makes its connections itself and has no option for this. It uses SQLAlchemy, which
    # calls this function for every connection that any engine of the process opens.
    @event.listens_for(Engine, "connect")
    def connected(connection: Any, record: object) -> None:
        if isinstance(connection, sqlite3.Connection) and _is_of(connection, database):
            connection.execute("PRAGMA synchronous = OFF").close()


def _is_of(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether a connection is to this database, or to the unfinished file that will become it."""
    (path,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    opened, wanted = Path(path), database.resolve()
    unfinished = opened.name.startswith(f"{wanted.name}.") and opened.suffix == ".unfinished"
    return opened.parent == wanted.parent and (opened.name == wanted.name or unfinished)
