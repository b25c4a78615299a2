"""Turns failures of a tracking store into messages that name the file or server and a way out."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.location import TrackingLocation

AGAIN = "run the same command again"
_REBUILD = f"delete it and {AGAIN}: the store has every result, and writes MLflow's runs anew"
_ELSEWHERE = "or name another database with --tracking-uri"
_CREDENTIALS = (
    "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)
_READ_ONLY = (
    "; this user may only read there, or not even that: ask whoever runs the server for permission "
    "to edit the experiment, or take another user with MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD"
)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
# The last eight bits of SQLite's extended error codes are the kind of the error.
_KIND = 0xFF


@contextmanager
def tracking_errors(location: TrackingLocation) -> Iterator[None]:
    """Turn errors of MLflow and of the operating system into one whose message says what to do.

    Raises:
        TrackingError: in place of every `MlflowException` and `OSError`.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise _in_words(location, error) from error


@contextmanager
def database_errors(location: TrackingLocation) -> Iterator[None]:
    """Turn any error while a local database is opened into one whose message says what to do.

    Raises:
        TrackingError: in place of every other exception.
    """
    try:
        yield
    except TrackingError:
        raise
    # A damaged database can make MLflow, SQLAlchemy and Alembic fail anywhere in their code, with
    # errors of any class.
    except Exception as error:
        raise _in_words(location, error) from error


def damaged(database: Path, why: str) -> TrackingError:
    """The error for a database that cannot be used any more.

    Args:
        database: its file.
        why: what is wrong with it.
    """
    return TrackingError(
        f"the MLflow database must be whole, but {database} is damaged, half-made or no database "
        f"({why}); {_REBUILD}"
    )


def newer(database: Path, revision: str) -> TrackingError:
    """The error for a database that a newer MLflow has written.

    Args:
        database: its file.
        revision: the revision of its tables.
    """
    return TrackingError(
        f"the MLflow database {database} was written by a newer MLflow (its tables have revision "
        f"{revision}, which the installed one does not know); upgrade MLflow with "
        f"`pip install --upgrade mlflow`, {_ELSEWHERE}"
    )


def _in_words(location: TrackingLocation, error: Exception) -> TrackingError:
    text = str(error).strip().partition("\n")[0] or repr(error)
    text = location.without_credentials(text)
    database = location.database
    if database is not None:
        return _of_database(database, location.uri, error, text)
    advice = ""
    if "error code 401" in text:
        advice = _CREDENTIALS
    elif "error code 403" in text:
        advice = _READ_ONLY
    return TrackingError(
        f"the tracking store {location.shown} must be usable, but MLflow says: {text}{advice}"
    )


def _of_database(database: Path, uri: str, error: Exception, text: str) -> TrackingError:
    for cause in _causes(error):
        if isinstance(cause, sqlite3.Error):
            return _of_sqlite(database, cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            return _of_system(Path(str(cause.filename or database)), cause)
    if found := re.search(r"out-of-date database schema \(found version (\w+)", text):
        # MLflow has no public function that migrates a database, only this command.
        return TrackingError(
            f"the MLflow database {database} was written by an older MLflow (its tables have "
            f"revision {found[1]}); make a copy of it, bring it up to date with "
            f"`mlflow db upgrade {uri}`, and {AGAIN}"
        )
    return TrackingError(
        f"the MLflow database {database} must be usable, but MLflow says: {text}; "
        f"if it is damaged, {_REBUILD}"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, the error that it was raised from, and so on."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _of_sqlite(database: Path, error: sqlite3.Error) -> TrackingError:
    # Errors that Python's module raises by itself, without asking SQLite, have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return TrackingError(
            f"the MLflow database must stay where it is, but {database} was moved or deleted "
            f"while it was written; {AGAIN}: what is missing is written anew from the store"
        )
    kind = code & _KIND
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TrackingError(
            f"the MLflow database must be free, but {database} is locked by another program; "
            f"wait until that is done or end it (`fuser {database}` names it), and {AGAIN}"
        )
    if kind == sqlite3.SQLITE_FULL:
        return _full(database)
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return _refused(database, str(error))
    if kind == sqlite3.SQLITE_IOERR:
        return TrackingError(
            f"the MLflow database must be readable and writable, but the disk of {database} "
            f"fails ({error}); look at the disk, its quota and `ulimit -f`, {_ELSEWHERE}"
        )
    return damaged(database, str(error))


def _of_system(path: Path, error: OSError) -> TrackingError:
    if error.errno in _FULL:
        return _full(path)
    if error.errno in _REFUSED:
        return _refused(path, str(error.strerror))
    return TrackingError(
        f"MLflow's files must be usable, but {path} is not: {error.strerror}; "
        f"mend this, {_ELSEWHERE}"
    )


def _full(path: Path) -> TrackingError:
    return TrackingError(
        f"MLflow must have room to write, but the disk of {path} is full; "
        f"free some space and {AGAIN}"
    )


def _refused(path: Path, why: str) -> TrackingError:
    return TrackingError(
        f"MLflow's files must be readable and writable, but {path} or its folder is not ({why}); "
        f"mend the permissions, {_ELSEWHERE}"
    )
