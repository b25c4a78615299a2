"""Whole sweeps on a database that is made once: making one takes seconds for each store."""

import shutil

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, read_record
from qhn.sweeps.tracking import SweepRuns, tracking_location

OTHER = "{name: to-be-deleted, datasets: moons, objectives: mle, seeds: 1}"


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """An MLflow database with its tables and no experiment of ours."""
    store = open_store(str(tmp_path_factory.mktemp("database")))
    location = tracking_location(store, None)
    plan = make_plan(parse_spec(OTHER))
    runs = SweepRuns(location, plan, lambda trial: read_record(store, trial.trial_id))
    runs.close("FINISHED", {}, {})
    return location.database


@pytest.fixture
def qhn(qhn, fresh_database):
    """A command line on a store that has its database already."""
    qhn.root.mkdir(mode=0o700)
    shutil.copy(fresh_database, qhn.root / "mlflow.db")
    return qhn
