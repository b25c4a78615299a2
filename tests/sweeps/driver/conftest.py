"""Whole sweeps on a database that is made once: making one takes seconds for each store."""

import shutil

import pytest

from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import tracking_location
from qhn.sweeps.tracking.connection import connect


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """An MLflow database with its tables and no experiment of ours."""
    location = tracking_location(open_store(str(tmp_path_factory.mktemp("database"))), None)
    connect(location)
    return location.database


@pytest.fixture
def qhn(qhn, fresh_database):
    """A command line on a store that has its database already."""
    qhn.root.mkdir(mode=0o700)
    shutil.copy(fresh_database, qhn.root / "mlflow.db")
    return qhn
