"""The record of a rehearsal device: what was accepted, refused, paid, and when it was busy."""

import pytest
from queued_contract import part
from rehearsing import FREE, Rehearsed, outcome

from qhn.core.errors import InvalidValueError, NewerFormatError, NotFoundError, StoreError
from qhn.devices.rehearsal.database import FILE, Database
from qhn.devices.rehearsal.record import Record, Step
from qhn.devices.rehearsal.timeline import Timeline


@pytest.fixture
def world(tmp_path):
    rehearsed = Rehearsed(tmp_path / "qpu", **FREE, job_s=2.0, execution_s=0.1, price_job=1.0)
    yield rehearsed
    rehearsed.close()


def test_jobs_are_all_there_with_times_parts_and_bill(world):
    handle = world.open()
    begin = world.now
    first = handle.submit("qhn-s-t0-0-0", [part(shots=5), part(shots=10, trial="t1", step=3)])
    world.wait(1.0)
    second = handle.submit("qhn-s-t0-1-0", [part(shots=1, step=1)])
    one, two = world.record().jobs()
    assert (one.job_id, two.job_id, one.number, two.number) == (first, second, 1, 2)
    assert (one.submission, two.submission) == ("qhn-s-t0-0-0", "qhn-s-t0-1-0")
    assert (one.submitted, two.submitted) == (begin, begin + 1.0)
    # 30 executions take 2 + 3 seconds. The second job waits until the first has ended.
    assert (one.starts, one.ends) == (begin, begin + 5.0)
    assert (two.starts, two.ends) == (begin + 5.0, pytest.approx(begin + 7.2))
    assert (one.executions, one.shots, one.qpu_seconds) == (30, 30, 5.0)
    assert one.cost == pytest.approx(1.0 + 5.0 * 1.60)
    assert one.steps == (Step("t0", 7, 0, 2, 5), Step("t1", 7, 3, 2, 10))
    assert one.failure is None


def test_what_is_paid_twice_is_named(world):
    handle = world.open()
    handle.submit("qhn-s-t0-0-0", [part()])
    handle.submit("qhn-s-t0-1-0", [part(step=1), part(trial="t1")])
    # Another store trains the same trial, and a failed job is not paid.
    handle.submit("qhn-other-t0-0-0", [part()])
    world.open(failure_rate=1.0).submit("qhn-s-t0-0-1", [part()])
    assert world.record().paid_twice() == {}
    handle.submit("qhn-s-t0-1-1", [part(step=1)])
    assert world.record().paid_twice() == {("s", "t0", 1): ["qhn-s-t0-1-0", "qhn-s-t0-1-1"]}


def test_refusals_are_told_from_bad_luck(world):
    outcome(world.open(parts_per_job=1).submit, "qhn-s-t-0-0", [part(), part(step=1)])
    outcome(world.open(transient_rate=1.0).submit, "qhn-s-t-1-0", [part()])
    record = world.record()
    assert [event.kind for event in record.events()] == ["parts", "transient"]
    (refused,) = record.refusals()
    assert (refused.at, refused.submission, refused.job_id) == (world.now, "qhn-s-t-0-0", None)
    assert "2 parts, which exceeds the 1" in refused.words


class TestTimeline:
    #: Submitted, started, ended.
    JOBS = ((0.0, 1.0, 3.0), (0.0, 3.0, 4.0), (4.0, 6.0, 8.0), (4.0, 8.0, 9.0), (5.0, 9.0, 10.0))

    def test_counts_what_is_at_the_provider(self):
        timeline = Timeline(self.JOBS)
        assert list(timeline.pending()) == [
            (0.0, 2), (3.0, 1), (4.0, 2), (5.0, 3), (8.0, 2), (9.0, 1), (10.0, 0)
        ]  # fmt: skip
        assert timeline.most_pending() == 3

    @pytest.mark.parametrize(
        ("begin", "end", "share"),
        [(0.0, 10.0, 0.3), (1.0, 4.0, 0.0), (4.0, 6.0, 1.0), (3.5, 5.5, 0.75), (9.0, 13.0, 0.75),
         (-2.0, 2.0, 0.75), (20.0, 21.0, 1.0)],
    )  # fmt: skip
    def test_tells_how_long_the_processor_idles(self, begin, end, share):
        assert Timeline(self.JOBS).idle_share(begin, end) == pytest.approx(share)

    def test_tells_how_long_too_few_jobs_were_there(self):
        timeline = Timeline(self.JOBS)
        assert timeline.share_below(1, 0.0, 10.0) == 0.0
        assert timeline.share_below(2, 0.0, 10.0) == pytest.approx(0.2)
        assert timeline.share_below(3, 2.0, 6.0) == pytest.approx(0.75)

    def test_is_idle_without_jobs(self):
        assert Timeline([]).most_pending() == 0
        assert Timeline([]).idle_share(0.0, 1.0) == 1.0

    def test_moments_in_the_wrong_order_are_refused(self):
        with pytest.raises(InvalidValueError, match="`begin < end`"):
            Timeline([]).idle_share(1.0, 1.0)


class TestFile:
    def test_a_folder_without_a_device_is_refused(self, tmp_path):
        with pytest.raises(NotFoundError, match="must have been used in"):
            Record(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_file_of_a_newer_version_is_left_alone(self, tmp_path):
        file = Database(tmp_path)
        with file.transaction() as db:
            db.execute("PRAGMA user_version = 2")
        file.close()
        before = (tmp_path / FILE).read_bytes()
        with pytest.raises(NewerFormatError, match=r"must have version 1, but .* has version 2"):
            Record(tmp_path)
        assert (tmp_path / FILE).read_bytes() == before

    def test_a_file_that_is_none_is_explained(self, tmp_path):
        (tmp_path / FILE).write_bytes(b"no database" * 1000)
        with pytest.raises(StoreError, match="file is not a database; give it another folder"):
            Database(tmp_path)

    def test_a_folder_that_cannot_be_made_is_explained(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="must be able to use"):
            Rehearsed(tmp_path / "file" / "qpu").open()

    def test_what_fails_in_the_middle_leaves_nothing(self, tmp_path):
        file = Database(tmp_path)
        with pytest.raises(ZeroDivisionError), file.transaction() as db:
            db.execute("INSERT INTO tries VALUES ('a', 1)")
            raise ZeroDivisionError
        with file.reading() as db:
            assert db.execute("SELECT * FROM tries").fetchall() == []
        file.close()
