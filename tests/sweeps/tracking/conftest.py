"""The MLflow database of version f0fdd86, as tests of several modules need it."""

import pytest

from qhn.sweeps.tracking import TrackingLocation


@pytest.fixture
def old_database(tmp_path, unpack_old_store):
    """Location of a database that f0fdd86 made, with three sweeps in it."""
    database = unpack_old_store(tmp_path / "old") / "mlflow.db"
    return TrackingLocation(f"sqlite:///{database}", database)
