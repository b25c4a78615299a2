"""The queue of the rehearsal device: limits, order, times and bills, over any course of events."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queued_contract import part
from rehearsing import FREE, Rehearsed, outcome

from qhn.devices.rehearsal.schedule import Slot, schedule
from qhn.devices.rehearsal.words import ProviderError

#: What callers do: let time pass, then submit one of a few ids with some shots.
CALLS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 1.0, 7.0, 30.0]),
        st.sampled_from(["qhn-s-t-0-0", "qhn-s-t-1-0", "qhn-s-t-2-0", "qhn-s-t-2-1"]),
        st.integers(1, 2000),
    ),
    min_size=1,
    max_size=25,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A new folder for each example of a property."""
    return lambda: tmp_path_factory.mktemp("qpu")


@settings(max_examples=60)
@given(
    calls=CALLS,
    preset=st.sampled_from(["ibm-open", "braket", "iqm"]),
    pending=st.none() | st.integers(1, 4),
    per_minute=st.none() | st.integers(1, 6),
    speedup=st.sampled_from([1.0, 30.0]),
    luck=st.sampled_from([{}, {"transient_rate": 0.2, "timeout_rate": 0.2, "failure_rate": 0.2}]),
)
def test_no_limit_is_ever_passed(folders, calls, preset, pending, per_minute, speedup, luck):
    world = Rehearsed(
        folders(), preset=preset, pending=pending, submissions_per_minute=per_minute,
        speedup=speedup, queue_s=5.0, **luck
    )  # fmt: skip
    behaviour, provider = world.access.behaviour, world.access.provider
    handle = world.open()
    answers = []
    for pause, submission, shots in calls:
        world.wait(pause / speedup)
        answers.append((submission, outcome(handle.submit, submission, [part(shots=shots)])))
    record = world.record()
    jobs, events, timeline = record.jobs(), record.events(), record.timeline()
    world.close()

    # Limits.
    if behaviour.pending is not None:
        assert timeline.most_pending() <= behaviour.pending
    if behaviour.submissions_per_minute is not None:
        times = np.array([job.submitted for job in jobs])
        for time in times:
            lately = (times > time - provider.minute_s) & (times <= time)
            assert lately.sum() <= behaviour.submissions_per_minute
    # Whoever got an id has a job, and nobody else but those whose answer was lost.
    given_ids = {job_id for _, job_id in answers if not isinstance(job_id, ProviderError)}
    lost = {event.job_id for event in events if event.kind == "timeout, accepted"}
    assert given_ids | lost == {job.job_id for job in jobs}
    if behaviour.submission == "idempotent":
        assert len({job.submission for job in jobs}) == len(jobs)
    # One processor, which serves jobs in the order in which they are ready.
    in_order = sorted(jobs, key=lambda job: (job.starts, job.ends))
    for before, after in pairwise(in_order):
        assert before.ends <= after.starts
        # A job that was not submitted yet when another started could not come before it.
        assert before.ready <= after.ready or after.submitted >= before.starts
    for job in jobs:
        assert job.submitted <= job.ready <= job.starts < job.ends
        (step,) = job.steps
        assert job.executions == step.sets * step.shots
        seconds = provider.qpu_seconds(job.executions)
        assert job.ends - job.starts == pytest.approx(seconds / speedup, rel=1e-3)
        if job.failure is None:
            assert (job.shots, job.qpu_seconds) == (job.executions, seconds)
            assert job.cost == provider.cost(job.shots, seconds)
        else:
            assert (job.shots, job.qpu_seconds, job.cost) == (0, 0.0, 0.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 30), st.floats(0.1, 5)), min_size=1, max_size=30
    )
)
def test_the_processor_is_never_idle_while_a_job_is_ready(arrivals):
    """Against a plain simulation that knows all jobs beforehand."""
    now, slots = 0.0, {}
    for number, (pause, wait, takes) in enumerate(arrivals):
        now += pause
        under_way = [slot for slot in slots.values() if slot.ends > now]
        made = schedule(under_way, number, now + wait, takes, now)
        for slot in (made.slot, *made.moved):
            slots[slot.number] = slot
    free = 0.0
    expected = []
    for slot in sorted(slots.values(), key=lambda slot: (slot.ready, slot.number)):
        free = max(free, slot.ready) + arrivals[slot.number][2]
        expected.append(free)
    ended = [s.ends for s in sorted(slots.values(), key=lambda slot: (slot.ready, slot.number))]
    assert ended == pytest.approx(expected)


def test_a_job_that_executes_is_not_moved():
    executing = Slot(1, ready=0.0, starts=1.0, ends=9.0)
    waiting = Slot(2, ready=8.0, starts=9.0, ends=10.0)
    made = schedule([executing, waiting], 3, ready=4.0, takes=2.0, now=2.0)
    assert made.slot == Slot(3, ready=4.0, starts=9.0, ends=11.0)
    assert made.moved == (Slot(2, ready=8.0, starts=11.0, ends=12.0),)


def test_queue_times_have_their_mean_and_spread(tmp_path):
    world = Rehearsed(tmp_path, **{**FREE, "queue_s": 20.0}, job_s=1e-6, speedup=4.0)
    handle = world.open()
    for n in range(400):
        handle.submit(f"a-{n}", [part(shots=1)])
    waits = np.array([job.ready - job.submitted for job in world.record().jobs()])
    # The standard deviation of an exponential distribution is its mean: 5 s, in our seconds.
    assert waits.mean() == pytest.approx(5.0, abs=4 * 5.0 / 20)
    assert waits.std() == pytest.approx(5.0, rel=0.3)
    handle = world.open(queue_spread="constant")
    handle.submit("b", [part(shots=1)])
    last = world.record().jobs()[-1]
    assert last.ready - last.submitted == pytest.approx(5.0, abs=1e-5)
    world.close()


def test_the_seed_decides_what_happens_and_the_order_of_submissions_does_not(tmp_path):
    def waits(folder, seed, order):
        world = Rehearsed(tmp_path / folder, **{**FREE, "queue_s": 20.0}, seed=seed)
        handle = world.open()
        for n in order:
            handle.submit(f"a-{n}", [part()])
        jobs = world.record().jobs()
        world.close()
        return {job.submission: job.ready - job.submitted for job in jobs}

    first = waits("a", 0, range(5))
    assert waits("b", 0, reversed(range(5))) == first
    assert waits("c", 1, range(5)) != first


def test_a_full_queue_takes_a_job_again_when_one_has_ended(tmp_path):
    world = Rehearsed(tmp_path, submissions_per_minute=10**6)
    handle = world.open()
    jobs = [handle.submit(f"a-{n}", [part()]) for n in range(3)]
    assert "pending jobs (3)" in str(outcome(handle.submit, "a-3", [part()]))
    by_end = sorted(world.record().jobs(), key=lambda job: job.ends)
    assert {job.job_id for job in by_end} == set(jobs)
    world.now = by_end[0].ends
    handle.submit("a-3", [part()])
    assert [event.kind for event in world.record().refusals()] == ["pending"]
    world.close()


def test_a_minute_that_is_over_makes_room_for_a_job(tmp_path):
    """Ten times sped up, a minute is over after six seconds."""
    world = Rehearsed(tmp_path, **{**FREE, "submissions_per_minute": 2}, speedup=10.0)
    handle = world.open()
    handle.submit("a-0", [part()])
    world.wait(4.0)
    handle.submit("a-1", [part()])
    world.wait(1.9)
    assert "2 per minute" in str(outcome(handle.submit, "a-2", [part()]))
    world.wait(0.1)
    handle.submit("a-2", [part()])
    assert isinstance(outcome(handle.submit, "a-3", [part()]), ProviderError)
    assert [event.kind for event in world.record().refusals()] == ["rate", "rate"]
    world.close()


def test_thousands_of_jobs_do_not_make_questions_slower(tmp_path):
    """Each question is answered by an index, so that no table is read from end to end."""
    world = Rehearsed(tmp_path, **FREE)
    handle = world.open()
    job = handle.submit("a", [part()])
    world.finish(job)
    said: list[str] = []
    with handle._provider._file.reading() as db:
        db.set_trace_callback(said.append)
        handle.look(job)
        handle.find("a")
        handle.fetch(job)
        handle.submit("b", [part()])
        db.set_trace_callback(None)
        questions = [statement for statement in said if statement.startswith("SELECT")]
        assert len(questions) > 6
        for question in questions:
            for row in db.execute(f"EXPLAIN QUERY PLAN {question}").fetchall():
                assert not row[-1].startswith("SCAN") or "CONSTANT" in row[-1], (question, row)
    world.close()
