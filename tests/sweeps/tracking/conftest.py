"""The MLflow database of version f0fdd86, as tests of several modules need it."""

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from qhn.sweeps.tracking import TrackingLocation

_STORE = Path(__file__).parents[2] / "golden" / "store-f0fdd86.zip"


@pytest.fixture(scope="session")
def golden_sql():
    with zipfile.ZipFile(_STORE) as archive:
        return archive.read("mlflow.sql").decode()


@pytest.fixture
def old_database(tmp_path, golden_sql):
    """Location of a database that f0fdd86 made, with three sweeps in it."""
    database = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(golden_sql.replace("@STORE@", str(tmp_path)))
        connection.commit()
    return TrackingLocation(f"sqlite:///{database}", database)
