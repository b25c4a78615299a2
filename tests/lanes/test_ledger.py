"""The contract of a ledger, run over every implementation, and what may follow what."""

from dataclasses import replace

import pytest
from memory_ledger import MemoryLedger, Place

from qhn.core.errors import DamagedError, FencedError, InvalidValueError, StoreError
from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Record, Share, check_follows, first_token
from qhn.lanes.submission import Submission
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.ledger import StoredLedger
from qhn.sweeps.store.memory import MemoryBackend
from qhn.sweeps.store.opening import open_store

WANTED = Usage(shots=512, qpu_seconds=4.5, cost=7.25)
ID = Submission("5a0e", "0123456789abcdef", 3).id
SHARES = (
    Share(ID, "sweep", "0123456789abcdef", WANTED),
    Share(Submission("5a0e", "f" * 16, 8).id, "andere größe", "f" * 16, WANTED),
)
RESERVED = Record(ID, "reserved", "holder", 7, SHARES, at=1.7e9)
SUBMITTED = replace(RESERVED, state="submitted", job_id="job 1", stamps=(1.7e9 + 0.25,))


def ended(record, state="done", **changes):
    members = tuple(replace(s, used=Usage(500, 4.25, 7.0)) for s in record.members)
    return replace(record, state=state, members=members, **changes)


@pytest.fixture(params=["memory", "store in memory", "store in a folder", "store in s3"])
def brokers(request, tmp_path):
    """A function that opens the same ledger once more."""
    place, memory = Place(), MemoryBackend("lanes")
    if request.param == "store in s3":
        address = request.getfixturevalue("s3_store")()
        return lambda: StoredLedger(open_store(address).backend, "qpu-a")
    return {
        "memory": lambda: MemoryLedger(place),
        "store in memory": lambda: StoredLedger(memory, "qpu-a"),
        "store in a folder": lambda: StoredLedger(FolderBackend(tmp_path / "store"), "qpu-a"),
    }[request.param]


class TestContract:
    def test_a_new_ledger_is_empty_and_reading_it_claims_nothing(self, brokers):
        writer = brokers()
        writer.claim()
        assert brokers().read() == []
        writer.append(RESERVED)

    def test_records_are_read_as_they_were_written(self, brokers):
        writer = brokers()
        writer.claim()
        other = replace(
            RESERVED, submission="b", members=(replace(SHARES[0], submission="b"),), token=1 << 40
        )
        for record in (RESERVED, other, SUBMITTED, SUBMITTED, ended(SUBMITTED, why='"ok"\n')):
            writer.append(record)
        assert brokers().read() == [other, ended(SUBMITTED, why='"ok"\n')]

    def test_only_the_last_who_claimed_it_writes(self, brokers):
        first, second = brokers(), brokers()
        with pytest.raises(FencedError, match="claimed"):
            first.append(RESERVED)
        claims = [first.claim()]
        first.append(RESERVED)
        claims.append(second.claim())
        with pytest.raises(FencedError, match="claimed"):
            first.append(SUBMITTED)
        assert second.read() == [RESERVED]
        second.append(SUBMITTED)
        claims.append(first.claim())
        assert claims == sorted(set(claims))
        assert first_token(claims[1]) > first_token(claims[0]) + 10**9

    def test_what_contradicts_an_earlier_record_is_not_written(self, brokers):
        writer = brokers()
        writer.claim()
        writer.append(SUBMITTED)
        with pytest.raises(InvalidValueError, match="second job may have been paid"):
            writer.append(replace(SUBMITTED, job_id="job 2"))
        assert writer.read() == [SUBMITTED]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (None, RESERVED),
        (RESERVED, RESERVED),
        (RESERVED, replace(RESERVED, token=9, holder="another")),
        (RESERVED, SUBMITTED),
        (RESERVED, ended(RESERVED, "abandoned")),
        (RESERVED, ended(RESERVED, "failed")),
        (SUBMITTED, ended(SUBMITTED)),
        (ended(SUBMITTED), ended(SUBMITTED)),
    ],
)
def test_a_job_goes_on(earlier, later):
    check_follows(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later", "rule"),
    [
        (SUBMITTED, RESERVED, "go on"),
        (ended(SUBMITTED), SUBMITTED, "go on"),
        (ended(SUBMITTED), ended(SUBMITTED, "failed"), "go on"),
        (RESERVED, replace(RESERVED, token=6), "tokens must grow"),
        (SUBMITTED, ended(replace(SUBMITTED, job_id=None)), "keeps its id"),
        (RESERVED, replace(RESERVED, members=SHARES[:1]), "keeps its steps"),
    ],
)
def test_a_job_does_not_go_back_or_become_another(earlier, later, rule):
    with pytest.raises(InvalidValueError, match=rule):
        check_follows(earlier, later)


def test_a_record_has_its_usage_when_it_is_over():
    for wrong in (
        lambda: replace(RESERVED, state="done"),
        lambda: replace(ended(RESERVED), state="submitted"),
        lambda: replace(RESERVED, state="lost"),
        lambda: replace(RESERVED, members=()),
    ):
        with pytest.raises(InvalidValueError):
            wrong()
    assert ended(RESERVED).used == Usage(1000, 8.5, 14.0)
    assert RESERVED.used == Usage()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format": 2}',
        b'{"format": 2, "members": [], "stamps": []}',
        b'{"format": 2, "members": 5, "stamps": []}',
    ],
)
def test_nobody_goes_on_with_a_record_that_cannot_be_read(content):
    backend = MemoryBackend("damaged")
    ledger = StoredLedger(backend, "qpu-a")
    ledger.claim()
    ledger.append(RESERVED)
    (key,) = backend.list("lanes/qpu-a/jobs/")
    backend.put(key, content)
    with pytest.raises(DamagedError):
        ledger.read()
    with pytest.raises(DamagedError):
        ledger.append(SUBMITTED)


def test_a_file_under_the_name_of_another_job_is_damaged():
    backend = MemoryBackend("moved")
    ledger = StoredLedger(backend, "qpu-a")
    ledger.claim()
    ledger.append(RESERVED)
    (key,) = backend.list("lanes/qpu-a/jobs/")
    backend.move(key, key.replace(ID, "other"))
    with pytest.raises(DamagedError, match="another job"):
        ledger.read()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0"])
def test_a_lane_has_the_name_of_a_folder(name):
    with pytest.raises(StoreError):
        StoredLedger(MemoryBackend("names"), name)


def test_a_submission_id_is_read_back_and_fits_into_a_tag():
    longest = Submission("s" * 16, "0" * 16, 999_999_999, 99_999)
    for one in (longest, Submission("a", "b", 0), Submission("a", "b", 0).again()):
        assert Submission.parse(one.id) == one
        assert len(one.id) <= 64
    assert Submission("a", "b", 2).again() == Submission("a", "b", 2, 1)
    for wrong in ("", "qhn-a-b-1", "qhn-a-b--1-0", "qhn-A-b-1-0", "qhn-a-b-01-0", f"{longest.id}x"):
        with pytest.raises(InvalidValueError, match="must look like"):
            Submission.parse(wrong)
    for store, trial, step in (("", "b", 0), ("a", "B", 0), ("a", "b-c", 0), ("a", "b", -1)):
        with pytest.raises(InvalidValueError):
            Submission(store, trial, step)
