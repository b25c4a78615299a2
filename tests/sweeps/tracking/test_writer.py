import threading

import pytest

from qhn.core.errors import OwnerError, TrackingError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, read_record
from qhn.sweeps.tracking import TrackingWriter

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 5}"
TRIALS = make_plan(parse_spec(SPEC, "test")).trials


class FakeRuns:
    """Stands for MLflow: remembers what it was told, and fails where a script says so."""

    def __init__(self, script=()):
        self.script = list(script)
        self.written = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.doubtful, self.settled, self.vanished = False, 0, set()

    def settle_doubts(self):
        self.settled += self.doubtful
        self.doubtful = False

    def unfinished(self, trial_ids):
        return trial_ids - set(self.written) | self.vanished

    def project(self, trial, record):
        self.entered.set()
        self.gate.wait()
        failure = self.script.pop(0) if self.script else None
        if failure is not None:
            raise failure
        self.written.append(trial.trial_id)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


def reader_of(store):
    return lambda trial: read_record(store, trial.trial_id)


def writer_on(runs, store):
    writer = TrackingWriter(lambda: runs, reader_of(store), first_wait_s=0.001)
    writer.start()
    writer.wait_until_ready()
    return writer


def test_trials_are_written_in_the_order_of_the_requests(store):
    runs = FakeRuns()
    writer = writer_on(runs, store)
    writer.update(TRIALS)
    assert writer.close(patience_s=0) == 0
    assert runs.written == [trial.trial_id for trial in TRIALS]


def test_requests_that_wait_are_merged(store):
    runs = FakeRuns()
    runs.gate.clear()
    writer = writer_on(runs, store)
    writer.update([TRIALS[0]])
    runs.entered.wait()
    for _ in range(10):
        writer.update([TRIALS[1], TRIALS[0]])
    assert writer.waiting == 2
    runs.gate.set()
    writer.close(patience_s=0)
    first, second = TRIALS[0].trial_id, TRIALS[1].trial_id
    assert runs.written == [first, second, first]


def test_nothing_is_lost_while_the_server_is_down(store):
    runs = FakeRuns([TrackingError("down")] * 7)
    writer = writer_on(runs, store)
    writer.update(TRIALS)
    assert writer.close(patience_s=60) == 0
    assert sorted(runs.written) == sorted(trial.trial_id for trial in TRIALS)


def test_a_server_that_stays_down_is_counted_not_waited_for(store):
    runs = FakeRuns([TrackingError("down")] * 1000)
    writer = writer_on(runs, store)
    writer.update(TRIALS)
    assert writer.close(patience_s=0) == len(TRIALS)
    assert runs.written == []


def test_a_trial_that_cannot_be_shown_does_not_hide_the_others(store):
    runs = FakeRuns([KeyError("odd")])
    writer = writer_on(runs, store)
    writer.update(TRIALS)
    assert writer.close(patience_s=0) == 1
    assert runs.written == [trial.trial_id for trial in TRIALS[1:]]


@pytest.mark.parametrize("failure", [TrackingError("no such server"), RuntimeError("odd")])
def test_failing_to_connect_is_said_to_whoever_waits(store, failure):
    def connect():
        raise failure

    writer = TrackingWriter(connect, reader_of(store))
    writer.start()
    with pytest.raises(TrackingError, match=str(failure)):
        writer.wait_until_ready()
    assert writer.close(patience_s=0) == 0


def test_what_is_asked_for_after_a_drop_is_not_begun(store):
    runs = FakeRuns()
    runs.gate.clear()
    writer = writer_on(runs, store)
    writer.update([TRIALS[0]])
    runs.entered.wait()
    writer.drop()
    writer.update(TRIALS)
    runs.gate.set()
    assert writer.close(patience_s=60) == len(TRIALS) - 1
    assert runs.written == [TRIALS[0].trial_id]


def test_a_writer_whose_sweep_has_another_owner_stops_and_counts_what_it_has_not_written(store):
    runs = FakeRuns([None, OwnerError("process 7 on far")])
    writer = writer_on(runs, store)
    writer.update(TRIALS[:3])
    writer._thread.join(60)
    assert not writer._thread.is_alive()
    writer.update(TRIALS[3:])
    assert writer.finish(TRIALS, patience_s=60) == len(TRIALS) - 1
    assert runs.written == [TRIALS[0].trial_id]


def test_after_requests_that_failed_everything_is_looked_through_again(store):
    """A trial that was written by a request that came late may be lacking again."""
    runs = FakeRuns()
    project = runs.project

    def doubtful(trial, record):
        runs.doubtful = len(runs.written) == 2
        runs.vanished = {TRIALS[0].trial_id} if runs.doubtful else set()
        project(trial, record)

    runs.project = doubtful
    writer = writer_on(runs, store)
    writer.update(TRIALS[:3])
    assert writer.finish(TRIALS[:3], patience_s=60) == 0
    assert runs.written == [trial.trial_id for trial in (*TRIALS[:3], TRIALS[0])]
    assert runs.settled == 1


def test_doubts_that_never_end_do_not_keep_a_sweep_from_ending(store):
    runs = FakeRuns()
    runs.settle_doubts = lambda: None
    runs.doubtful, runs.vanished = True, {TRIALS[0].trial_id}
    writer = writer_on(runs, store)
    assert writer.finish(TRIALS[:1], patience_s=60) == 0
    assert len(runs.written) == 3
