"""A database that can be made anew need not wait for the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any


def write_without_waiting(database: Path) -> None:
    """Let this process write to one SQLite database without waiting for the disk.

    A run then takes half the time. Processes may still be killed at any moment, since the system
    has what they wrote; a power cut can damage the database. So this is for the one in the store's
    folder alone: everything in it is in the store as well, and a sweep that is run again writes it
    anew. A database that somebody has named keeps SQLite's default, for other programs may have
    put into it what is nowhere else.

    Args:
        database: the file; connections to every other one stay as they are.
    """
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def connected(connection: Any, record: object) -> None:
        if isinstance(connection, sqlite3.Connection) and _is_of(connection, database):
            connection.execute("PRAGMA synchronous = OFF").close()


def _is_of(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether a connection is to this database, or to the file that will become it."""
    (path,) = (row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
    opened, wanted = Path(path), database.resolve()
    unfinished = opened.name.startswith(f"{wanted.name}.") and opened.suffix == ".unfinished"
    return opened.parent == wanted.parent and (opened.name == wanted.name or unfinished)
