"""Folders for clusters on this machine."""

import shutil

import pytest
from local_cluster import new_folder


@pytest.fixture
def short_folder():
    """A folder with a short path, which does not exist yet."""
    folder = new_folder()
    folder.rmdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
