"""A local MLflow database that cannot be used: one message that says which and what to do."""

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tracked_examples import open_runs

from qhn.core.errors import TrackingError
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import TrackingLocation, check_database, tracking_location
from qhn.sweeps.tracking.failures import tracking_errors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

_NOBODY = 65534
_NOT_OUR_WORDS = ("Traceback", "sqlalche", "NoneType", "SELECT", "\n", "Errno", "Error(")


def truncate(database):
    os.truncate(database, database.stat().st_size // 2)


def garble(database):
    content = bytearray(database.read_bytes())
    for page in range(3 * 4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    database.write_bytes(content)


def by_sql(*statements):
    def damage(database):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return damage


DAMAGES = {
    "no database": lambda database: database.write_bytes(b"hello\n" * 1000),
    "truncated": truncate,
    "garbled": garble,
    "no revision": by_sql("DELETE FROM alembic_version"),
    "no table of revisions": by_sql("DROP TABLE alembic_version"),
    "a column is missing": by_sql("ALTER TABLE runs DROP COLUMN end_time"),
    "empty cells": by_sql("UPDATE runs SET status = NULL"),
}


def one_message(location, action, *words):
    """What an action says that must fail: every word, the file, and nothing of Python's."""
    with pytest.raises(TrackingError) as caught:
        action()
    message = str(caught.value)
    for word in (*words, str(location.database)):
        assert word in message
    for word in _NOT_OUR_WORDS:
        assert word not in message
    return message


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_to_be_deleted(old_database, damage):
    damage(old_database.database)
    one_message(
        old_database,
        lambda: open_runs(old_database, "raced"),
        "damaged",
        "delete it and run the same command again",
    )


def test_after_the_deletion_the_same_command_goes_on(old_database):
    truncate(old_database.database)
    with pytest.raises(TrackingError, match="delete it"):
        open_runs(old_database, "raced")
    old_database.database.unlink()
    assert open_runs(old_database, "raced").unfinished({"f" * 16}) == {"f" * 16}


def test_an_empty_file_becomes_a_database(tmp_path):
    location = TrackingLocation(f"sqlite:///{tmp_path}/empty.db", tmp_path / "empty.db")
    location.database.touch()
    open_runs(location, "fresh")
    assert check_database(location)


@pytest.mark.parametrize("writable", [False, True])
def test_a_locked_database_is_to_be_waited_for(old_database, writable):
    impatient = TrackingLocation(f"{old_database.uri}?timeout=0.01", old_database.database)
    with closing(sqlite3.connect(old_database.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        one_message(
            impatient, lambda: check_database(impatient, writable), "locked", "wait", "end it"
        )
        one_message(impatient, lambda: open_runs(impatient, "raced"), "locked")
    open_runs(impatient, "raced")


def test_a_lock_during_a_run_is_said_in_the_same_words(old_database):
    from mlflow.exceptions import MlflowException

    def as_mlflow_does():
        with tracking_errors(old_database):
            try:
                sqlite3.connect(old_database.database, timeout=0).execute("DELETE FROM runs")
            except sqlite3.OperationalError as error:
                raise MlflowException(str(error)) from error

    with closing(sqlite3.connect(old_database.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        one_message(old_database, as_mlflow_does, "locked by another program", "wait")


@contextmanager
def not_root(folder):
    """Do without the rights of root, for whom no file is unwritable."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, _NOBODY, _NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("refuse", ["file", "folder"])
def test_an_unwritable_database_is_a_matter_of_permissions(old_database, refuse):
    # Not in pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name), Path(name, "mlflow.db")
        shutil.copy(old_database.database, database)
        (database if refuse == "file" else folder).chmod(0o400 if refuse == "file" else 0o500)
        location = TrackingLocation(f"sqlite:///{database}", database)
        with not_root(folder):
            with pytest.raises(TrackingError, match="mend the permissions") as caught:
                open_runs(location, "raced")
            assert check_database(location, writable=False)
        folder.chmod(0o700)
    assert str(database) in str(caught.value)
    assert "Errno" not in str(caught.value)


@contextmanager
def disk_of(pages):
    """A disk with room for this many pages of a database."""

    def limit(connection, record):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


def test_a_full_disk_is_said_while_a_database_is_made(tmp_path):
    location = tracking_location(open_store(str(tmp_path)), f"sqlite:///{tmp_path}/mlflow.db")
    with disk_of(20):
        one_message(location, lambda: open_runs(location, "new"), "is full", "free some space")
    open_runs(location, "new")
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_full_disk_is_said_while_a_sweep_is_written(old_database):
    # Under another name, since MLflow keeps connections by name: this one has no limit yet.
    folder, name = old_database.database.parent, old_database.database.name
    open_runs(TrackingLocation(f"sqlite:///{folder}/./{name}", old_database.database), "raced")
    with disk_of(1):  # No database shrinks: it keeps what it has and gets no page more.
        runs = open_runs(old_database, "raced")
        tags = {f"qhn.tag{number}": "x" * 5000 for number in range(90)}
        one_message(old_database, lambda: runs.close("FINISHED", {}, tags), "is full", "free some")


def test_a_database_that_is_deleted_during_a_run_is_missed(old_database):
    runs = open_runs(old_database, "raced")
    old_database.database.unlink()
    one_message(old_database, lambda: runs.close("FINISHED", {}, {}), "moved or deleted while")


def test_a_database_of_a_newer_mlflow_asks_for_it(old_database):
    by_sql("UPDATE alembic_version SET version_num = 'fedcba987654'")(old_database.database)
    words = ("newer MLflow", "fedcba987654", "pip install --upgrade mlflow")
    one_message(old_database, lambda: open_runs(old_database, "raced"), *words)


def test_a_database_of_an_older_mlflow_names_the_command(old_database):
    by_sql("UPDATE alembic_version SET version_num = '728d730b5ebd'")(old_database.database)
    command = f"mlflow db upgrade {old_database.uri}"
    one_message(old_database, lambda: open_runs(old_database, "raced"), "older MLflow", command)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "mend the permissions"),
        (errno.EROFS, "mend the permissions"),
        (errno.ENOTDIR, "Not a directory"),
    ],
)
def test_failures_of_the_file_system_name_the_file(old_database, number, words):
    with pytest.raises(TrackingError, match=words) as caught, tracking_errors(old_database):
        raise OSError(number, os.strerror(number), "/artifacts/posterior.csv")
    assert "/artifacts/posterior.csv" in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_timeout_that_is_no_number_is_refused(old_database):
    location = TrackingLocation(f"{old_database.uri}?timeout=soon", old_database.database)
    with pytest.raises(TrackingError, match="timeout of a database must be a number"):
        check_database(location)


@pytest.mark.parametrize("damage", ["no database", "truncated", "no revision"])
def test_the_pages_of_a_damaged_database_are_not_opened(qhn, old_database, damage):
    DAMAGES[damage](old_database.database)
    output = qhn("ui", "--tracking-uri", old_database.uri, code=2)
    assert "error: the MLflow database must be whole" in output
    assert str(old_database.database) in output
    assert "delete it" in output


def test_the_pages_of_a_locked_or_newer_database_are_not_opened(qhn, old_database):
    by_sql("UPDATE alembic_version SET version_num = 'fedcba987654'")(old_database.database)
    assert "newer MLflow" in qhn("ui", "--tracking-uri", old_database.uri, code=2)
    with closing(sqlite3.connect(old_database.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        output = qhn("ui", "--tracking-uri", f"{old_database.uri}?timeout=0.01", code=2)
    assert "locked by another program" in output


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_private_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = tmp_path / "store"
    before = os.umask(0)
    try:
        location = tracking_location(open_store(str(store)))
        open_runs(location, "private").close("FINISHED", {"a.txt": "text"}, {})
    finally:
        os.umask(before)
    assert mode(store) == 0o700
    assert mode(location.database) == 0o600
    assert mode(location.artifacts) == 0o700


def test_permissions_that_a_user_has_chosen_stay(old_database):
    old_database.database.chmod(0o660)
    open_runs(old_database, "raced")
    assert mode(old_database.database) == 0o660


_WITHOUT_A_FOLDER = """
import os, sys
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import tracking_location
from tracked_examples import open_runs

store, moment = sys.argv[1:]
if moment == "before":
    os.rmdir(os.getcwd())
runs = open_runs(tracking_location(open_store(store)), "placeless")
if moment == "after":
    os.rmdir(os.getcwd())
runs.close("FINISHED", {"a.txt": "text"}, {"qhn.trials": "0"})
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_working_directory_deleted_around_connecting_does_not_matter(tmp_path, moment):
    place, store = tmp_path / "gone", tmp_path / "store"
    place.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = f"{Path(__file__).parents[3]}:{Path(__file__).parent}"
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_A_FOLDER, str(store), moment],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [path.read_text() for path in store.glob("artifacts/**/a.txt")] == ["text"]
    assert not place.exists()
