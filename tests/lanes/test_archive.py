"""The ledgers of one queue as one: what must never go unwritten."""

from __future__ import annotations

import pytest
from shelf import Shelf

from qhn.core.errors import StoreError
from qhn.lanes import Record, Share, Usage
from qhn.lanes.archive import Archive

RECORD = Record(
    submission="qhn-s-t-0-0",
    state="reserved",
    holder="t@1",
    token=1,
    members=(Share("qhn-s-t-0-0", "a", "t", Usage(10, 1.0, 0.0)),),
    at=1.7e9,
)


def test_a_job_that_belongs_to_no_store_is_refused():
    shelf = Shelf()
    archive = Archive("qpu", lambda store, queue: shelf.place())
    archive.enter("here")
    archive.load()
    with pytest.raises(StoreError, match="must be written down in a store"):
        archive.write(RECORD)
    archive.belongs(RECORD.submission, "here")
    archive.write(RECORD)
    assert [record.submission for record in shelf.place().read()] == [RECORD.submission]
    archive.leave()
    with pytest.raises(StoreError, match="must be written down in a store"):
        archive.write(RECORD)
