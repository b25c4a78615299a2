"""The MLflow databases and the server that tests of several modules need."""

import pytest
from served import Proxy, Server

from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import TrackingLocation, tracking_location
from qhn.sweeps.tracking.connection import connect


@pytest.fixture
def old_database(tmp_path, unpack_old_store):
    """Location of a database that f0fdd86 made, with three sweeps in it."""
    database = unpack_old_store(tmp_path / "old") / "mlflow.db"
    return TrackingLocation(f"sqlite:///{database}", database)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One migrated database for all tests of a module: making one takes seconds."""
    location = tracking_location(open_store(str(tmp_path_factory.mktemp("store"))), None)
    connect(location)
    return location


@pytest.fixture
def sweep(request):
    """A name of its own for the sweep of each test."""
    return request.node.name.replace("[", "-").replace("]", "")


@pytest.fixture
def client(database):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=database.uri)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """An MLflow server that all tests share, each with experiments of its own."""
    server = Server(tmp_path_factory.mktemp("mlflow"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def proxy(server):
    proxy = Proxy(server)
    yield proxy
    proxy.close()
