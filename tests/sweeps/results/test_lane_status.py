"""What the ledger in a store tells about lanes and jobs, and what a person decides about a job."""

import json
import time

import pytest

from qhn.core.errors import InvalidValueError, NotFoundError, StoreError
from qhn.lanes import Record, Share, Submission, Usage
from qhn.lanes.desk import account
from qhn.sweeps.results.lane_decisions import give_up, let_resubmit
from qhn.sweeps.results.lane_jobs import jobs_of, shares_of, spent_by_trial
from qhn.sweeps.results.lane_status import find_queue, job_lines, lane_status
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.store.lane_place import known_store_id, open_place, store_id

SPEC = """
name: t
datasets: [moons]
objectives: [mle]
devices: [{name: rehearsal, shots: 8, label: qpu-a}]
lanes: {qpu: {devices: [qpu-a], budget: {qpu_seconds: 100}}}
seeds: 2
"""
QUEUE = "rehearsal-qpu-a"
TRIALS = ("0" * 16, "1" * 16)
WANTED = Usage(100, 2.5, 4.0)


@pytest.fixture
def store(qhn):
    """A store with a sweep that has three jobs: done, at the provider, and perhaps submitted."""
    qhn.store.sweep("t").save_file(SPEC)
    owner = store_id(qhn.store.backend)
    place = open_place(qhn.store.uri, QUEUE)
    token = place.ledger.claim() << 32

    def submission(trial, step):
        return Submission(owner, trial, step).id

    def share(trial, step, used=None, sweep="t"):
        return Share(submission(trial, step), account(sweep, owner), trial, WANTED, used)

    def job(members, state, number, job_id):
        first = members[0].submission
        stamps = (1000.0 + number,)
        place.ledger.append(
            Record(first, state, "holder", token + number, members, 2000.0, stamps, job_id)
        )
        return first

    used = Usage(90, 2.0, 3.0)
    ids = [
        job((share(TRIALS[0], 0, used), share(TRIALS[1], 0, used)), "done", 1, "job-1"),
        job((share(TRIALS[0], 1),), "submitted", 2, "job-2"),
        job((share(TRIALS[1], 1),), "reserved", 3, None),
        job((share("f" * 16, 0, sweep="other"),), "reserved", 4, None),
    ]
    return qhn.store, ids


def test_a_store_that_is_only_read_gets_no_id(qhn):
    assert lane_status(qhn.store) == []
    assert known_store_id(qhn.store.backend) is None


def test_a_lane_shows_the_jobs_of_its_sweep_alone(store):
    (line,) = lane_status(store[0])
    assert (line.lane, line.sweep, line.queue) == ("qpu", "t", QUEUE)
    assert (line.jobs, line.open_jobs, line.is_run) == (3, 2, False)
    # What is reserved for open jobs counts, since it may have to be paid.
    assert line.spent == Usage(90 + 90 + 100 + 100, 9.0, 14.0)
    assert line.budget.qpu_seconds == 100
    json.dumps(line.as_json())


def test_the_store_is_not_asked_again_for_each_job(store, monkeypatch):
    qhn_store, ids = store
    qhn_store.sweep("other").save_file(SPEC.replace("name: t", "name: other"))
    asked, get = [], type(qhn_store.backend).get

    def counted(backend, key):
        asked.append(key)
        return get(backend, key)

    jobs = [f"lanes/{QUEUE}/jobs/" in key for key in qhn_store.backend.list("lanes/")]
    assert sum(jobs) == len(ids)
    monkeypatch.setattr(type(qhn_store.backend), "get", counted)
    assert len(lane_status(qhn_store)) == 2
    # Each job is read once for both sweeps, and the id of the store twice for each of them.
    assert sum(f"lanes/{QUEUE}/jobs/" in key for key in asked) == len(ids)
    assert asked.count("lanes/store.json") == 4


def test_what_is_only_reserved_is_not_used(store):
    shares = shares_of(store[0], "t", jobs_of(store[0], QUEUE))
    assert spent_by_trial(shares) == {
        TRIALS[0]: Usage(90, 2.0, 3.0),
        TRIALS[1]: Usage(90, 2.0, 3.0),
    }


def test_jobs_come_in_the_order_of_their_submission(store):
    done, submitted, reserved, other = job_lines(store[0], QUEUE)
    assert [line.submission for line in (done, submitted, reserved, other)] == store[1]
    assert (done.trials, done.steps, done.used.shots) == (TRIALS, (0, 0), 180)
    assert submitted.submitted_at == "1970-01-01T00:16:42+00:00"
    assert "used" not in reserved.as_json() and reserved.as_json()["reserved"]["shots"] == 100
    assert done.as_json()["shots"] == 180
    assert job_lines(store[0], QUEUE, "t") == [done, submitted, reserved]
    assert other.sweeps == ("other",)


def test_a_queue_is_found_by_its_name_and_by_that_of_its_lane_and_sweep(store):
    assert find_queue(store[0], QUEUE) == find_queue(store[0], "qpu") == (QUEUE, None)
    assert find_queue(store[0], "t") == (QUEUE, "t")
    with pytest.raises(NotFoundError, match="there are: qpu, rehearsal-qpu-a"):
        find_queue(store[0], "nowhere")


def test_a_job_that_is_given_up_counts_as_paid(store):
    store, ids = store
    for place in (1, 2):
        record = give_up(store, QUEUE, ids[place])
        assert (record.state, record.used) == ("abandoned", WANTED)
    assert [line.state for line in job_lines(store, QUEUE)] == [
        "done",
        "abandoned",
        "abandoned",
        "reserved",
    ]
    with pytest.raises(InvalidValueError, match="is abandoned"):
        give_up(store, QUEUE, ids[1])


def test_only_a_job_that_nobody_knows_may_be_submitted_again(store):
    store, ids = store
    before = time.time()
    record = let_resubmit(store, QUEUE, ids[2])
    assert (record.state, record.used) == ("failed", Usage()) and record.at >= before
    with pytest.raises(InvalidValueError, match="is there as job-2; run the sweep"):
        let_resubmit(store, QUEUE, ids[1])
    with pytest.raises(NotFoundError, match="no job 'qhn-nothing'"):
        let_resubmit(store, QUEUE, "qhn-nothing")


def test_nothing_is_decided_while_a_broker_serves_the_queue(store):
    store, ids = store
    place = open_place(store.uri, QUEUE)
    place.occupy()
    try:
        with pytest.raises(StoreError, match="stop the sweeps that use it"):
            give_up(store, QUEUE, ids[1])
    finally:
        place.leave()
    assert job_lines(store, QUEUE)[1].state == "submitted"


def test_the_commands_print_it(store, qhn):
    ids = store[1]
    text = qhn("lanes", "status")
    assert "9 of 100 QPU s, 14" in text and "not run now" in text
    assert json.loads(qhn("lanes", "status", "--json"))[0]["open_jobs"] == 2
    text = qhn("lanes", "jobs", "qpu")
    assert "job-2" in text and "3 jobs may still be at the provider" in text
    assert [job["state"] for job in json.loads(qhn("lanes", "jobs", QUEUE, "--json"))] == [
        "done",
        "submitted",
        "reserved",
        "reserved",
    ]
    assert "counts as paid: 2.50 QPU s, 4" in qhn("lanes", "jobs", "qpu", "--abandon", ids[1])
    assert "costs nothing" in qhn("lanes", "jobs", "qpu", "--resubmit", ids[2])
    assert "one of --resubmit and --abandon" in qhn(
        "lanes", "jobs", "qpu", "--resubmit", ids[2], "--abandon", ids[2], code=2
    )
    assert "no lane, queue or sweep with jobs is called 'x'" in qhn("lanes", "jobs", "x", code=2)


def test_a_deletion_says_what_becomes_of_jobs_and_of_samples(qhn, store):
    found, _ = store
    first = stored_plan(found.sweep("t")).trials[0].trial_id
    found.backend.put(f"{first}/samples/000000.npy", b"")
    output = qhn("sweep", "delete", "t", code=2)
    assert "the ledger stays, with 3 jobs of it, of which 2 may still be at the provider" in output
    assert "samples that a quantum processor drew are deleted with their trials" in output
    qhn("sweep", "delete", "t", "--yes")
    assert len(jobs_of(found, QUEUE)) == 4
