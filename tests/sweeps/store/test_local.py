"""Folders on this machine for stores that are on it, and for those that are not."""

import pytest

from qhn.core.errors import StoreError
from qhn.sweeps.store import open_store
from qhn.sweeps.store.local import local_folder, make_folder, new_log, run_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_store_in_a_folder_keeps_its_logs_there(home):
    store = open_store(str(home / "store"))
    assert local_folder(store) == home / "store"
    assert new_log(store, "a").parent == home / "store" / "sweeps" / "a" / "logs"


def test_each_store_elsewhere_has_a_folder_of_its_own_that_only_its_user_reads(home, s3_store):
    first, second = open_store(s3_store()), open_store(s3_store())
    assert local_folder(first).parent == local_folder(second).parent == home / ".qhn" / "stores"
    assert local_folder(first) != local_folder(second)
    assert local_folder(open_store(f"{first.uri}/")) == local_folder(first)
    log = new_log(first, "a")
    assert log.parent == run_folder(first, "a") / "logs"
    for folder in (home / ".qhn", local_folder(first), log.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_two_addresses_that_look_alike_have_two_folders(home, s3_store):
    address = s3_store()
    assert local_folder(open_store(f"{address}/a-b")) != local_folder(open_store(f"{address}/a/b"))


def test_a_home_that_cannot_be_used_is_named(home, s3_store):
    store = open_store(s3_store())
    (home / ".qhn").write_text("a file")
    with pytest.raises(StoreError, match=r"folder for logs must be writable.* set HOME"):
        make_folder(store, run_folder(store, "a"))
