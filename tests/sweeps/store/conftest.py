"""Stores in all places, and the store that version f0fdd86 left."""

import json
import uuid
import zipfile
from pathlib import Path

import pytest
from stored_examples import TRIAL, make_result

from qhn.sweeps.config.trial import digest
from qhn.sweeps.store import open_store

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def result():
    return make_result


@pytest.fixture
def trial():
    return TRIAL


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_store")())
    return open_store(f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def folder(tmp_path):
    """A store's folder, for tests that reach into it."""
    return tmp_path / "store"


@pytest.fixture(scope="session")
def stored():
    """What is known of the old store's trials."""
    return json.loads((GOLDEN / "stored.json").read_text())


@pytest.fixture(scope="session")
def raced_ids():
    """Former id to id of the trials of the old store's sweep with early stopping."""
    identities = {}
    with zipfile.ZipFile(GOLDEN / "store-f0fdd86.zip") as archive:
        for name in archive.namelist():
            if name.endswith("/config.json"):
                identities[name.split("/")[1]] = json.loads(archive.read(name))
    return {
        former: digest({k: v for k, v in content.items() if k != "early_stopping"})
        for former, content in identities.items()
        if "early_stopping" in content
    }


@pytest.fixture
def old(tmp_path, unpack_old_store):
    """The folder of the store that version f0fdd86 left, with one sweep killed in mid-run."""
    return unpack_old_store(tmp_path / "old")
