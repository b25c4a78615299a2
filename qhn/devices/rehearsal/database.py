"""The file of the rehearsal device: tables, connections and transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qhn.core.errors import NewerFormatError, StoreError

FILE = "rehearsal.sqlite"
_VERSION = 1
#: Seconds for which a process waits while others write. Each transaction takes about a millisecond.
_BUSY_S = 60.0
# Times are seconds since the epoch. Every question that a handle asks has an index, so that no
# call becomes slower while jobs gather.
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    submission TEXT NOT NULL,
    store TEXT NOT NULL,
    content BLOB NOT NULL,
    submitted REAL NOT NULL,
    listed REAL NOT NULL,
    ready REAL NOT NULL,
    starts REAL NOT NULL,
    ends REAL NOT NULL,
    failure TEXT,
    executions INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    qpu_seconds REAL NOT NULL,
    cost REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_submission ON jobs (submission);
CREATE INDEX IF NOT EXISTS jobs_by_submitted ON jobs (submitted);
CREATE INDEX IF NOT EXISTS jobs_by_ends ON jobs (ends);
CREATE TABLE IF NOT EXISTS parts (
    job INTEGER NOT NULL REFERENCES jobs (number),
    place INTEGER NOT NULL,
    trial TEXT NOT NULL,
    seed TEXT NOT NULL,
    step INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    sets INTEGER NOT NULL,
    ansatz TEXT NOT NULL,
    angles BLOB NOT NULL,
    PRIMARY KEY (job, place)
);
CREATE TABLE IF NOT EXISTS tries (
    submission TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    submission TEXT NOT NULL,
    job_id TEXT,
    words TEXT NOT NULL
);
"""


class Database:
    """A connection to the provider's file. It is made if it is not there.

    Args:
        folder: where the file is, or shall be.

    Raises:
        StoreError: if the file cannot be made or read.
        NewerFormatError: if a newer version of qhn wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                # A write-ahead log would need memory that all processes share, which a network
                # folder does not give. And nothing here must outlive a loss of power: what a
                # process has written outlives its own end without waiting for the disk.
                self._connection.execute("PRAGMA journal_mode = TRUNCATE")
                self._connection.execute("PRAGMA synchronous = OFF")
            with self.transaction():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection. It may be called more than once."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside happens, or nothing; one process writes at a time."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; each statement sees a state between two transactions."""
        with self._explained():
            yield self._connection

    def _prepare(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found > _VERSION:
            raise NewerFormatError(
                f"the rehearsal device's file must have version {_VERSION}, but {self.path} has "
                f"version {found}; use the version of qhn that wrote it, or another folder"
            )
        if found < _VERSION:
            # `executescript` would end the transaction, and another process could come between.
            for statement in filter(str.strip, _TABLES.split(";")):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the rehearsal device must be able to use {self.path}, but: {error}; "
                "give it another folder, or mend this one"
            ) from error


def newest(db: sqlite3.Connection) -> int:
    """The number of the newest job, which is how many jobs there are; 0 before the first."""
    # The largest number is found at once, while counting would read all rows.
    return int(db.execute("SELECT coalesce(max(number), 0) FROM jobs").fetchone()[0])
