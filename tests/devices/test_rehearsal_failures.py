"""What goes wrong at the rehearsal device, and that callers can tell from its words what to do."""

import pytest
from queued_contract import part
from rehearsing import FREE, Rehearsed, outcome

from qhn.devices.rehearsal import words
from qhn.devices.rehearsal.words import ProviderError
from qhn.lanes.failures import Verdict, classify

WAIT, REATTACH, PERMANENT = Verdict.WAIT, Verdict.REATTACH, Verdict.PERMANENT


@pytest.fixture
def world(tmp_path):
    rehearsed = Rehearsed(tmp_path, **FREE)
    yield rehearsed
    rehearsed.close()


@pytest.mark.parametrize(
    ("said", "submit", "poll"),
    [
        *[(said, WAIT, WAIT) for said in words.NOTHING_ARRIVED],
        *[(said, REATTACH, WAIT) for said in words.ANSWER_LOST],
        (words.SESSION_CLOSED, WAIT, REATTACH),
        (words.too_many_pending(3), WAIT, WAIT),
        (words.too_many_submissions(5), WAIT, WAIT),
        (words.too_large("parts", 9, 4), PERMANENT, PERMANENT),
        (words.too_large("executions", 500, 404), PERMANENT, PERMANENT),
        (words.other_content("qhn-s-t-429-500"), PERMANENT, PERMANENT),
        (words.unknown_job("rehearsal-429-500"), PERMANENT, REATTACH),
        (words.not_done("rehearsal-404-404", "queued"), PERMANENT, WAIT),
    ],
)
def test_what_it_says_is_in_the_table_of_errors(said, submit, poll):
    assert classify(ProviderError(said), "submit") is submit
    assert classify(ProviderError(said), "poll") is poll


def test_failures_are_as_frequent_as_they_are_said_to_be(world):
    handle = world.open(transient_rate=0.2, timeout_rate=0.25, failure_rate=0.3)
    for n in range(600):
        outcome(handle.submit, f"a-{n}", [part(shots=1)])
    record = world.record()
    kinds = [event.kind for event in record.events()]
    # Five standard deviations of a binomial count.
    assert kinds.count("transient") == pytest.approx(120, abs=5 * 9.8)
    assert kinds.count("timeout, accepted") == pytest.approx(60, abs=5 * 7.4)
    assert kinds.count("timeout") == pytest.approx(60, abs=5 * 7.4)
    jobs = record.jobs()
    assert len(jobs) == 600 - kinds.count("transient") - kinds.count("timeout")
    failed = sum(job.failure is not None for job in jobs)
    assert failed == pytest.approx(0.3 * len(jobs), abs=5 * 10.1)
    assert len({event.words for event in record.events()}) == len(
        words.NOTHING_ARRIVED + words.ANSWER_LOST
    )


@pytest.mark.parametrize("preset", ["ibm-open", "braket", "iqm"])
def test_a_lost_answer_may_have_been_a_job(world, preset):
    handle = world.open(preset=preset, timeout_rate=1.0, timeout_accepted=1.0)
    with pytest.raises(ProviderError):
        handle.submit("qhn-s-t-0-0", [part()])
    (job,) = world.record().jobs()
    (event,) = world.record().events()
    assert (event.kind, event.job_id) == ("timeout, accepted", job.job_id)
    # What each provider promises about it.
    assert handle.find("qhn-s-t-0-0") == (job.job_id if preset == "ibm-open" else None)
    world.open(preset=preset).submit("qhn-s-t-0-0", [part()])
    paid = world.record().paid_twice()
    assert bool(paid) == (preset != "braket")


def test_a_lost_answer_may_have_been_nothing(world):
    handle = world.open(timeout_rate=1.0, timeout_accepted=0.0)
    with pytest.raises(ProviderError):
        handle.submit("a", [part()])
    assert world.record().jobs() == []
    assert handle.find("a") is None


def test_the_next_try_has_luck_of_its_own(world):
    handle = world.open(transient_rate=0.7)
    tries = {}
    for n in range(20):
        tries[n] = 1
        while isinstance(outcome(handle.submit, f"a-{n}", [part()]), ProviderError):
            tries[n] += 1
            assert tries[n] < 100
    assert len(set(tries.values())) > 3


def test_questions_fail_for_a_moment(world):
    handle = world.open()
    job = handle.submit("a", [part()])
    world.finish(job)
    unlucky = world.open(transient_rate=0.5)
    for ask in (unlucky.look, unlucky.fetch, lambda _: unlucky.find("a")):
        failed = sum(isinstance(outcome(ask, job), ProviderError) for _ in range(100))
        assert 20 < failed < 80
    # They are no submissions, so that the record of these knows nothing of them.
    assert world.record().events() == []


class TestSessions:
    def test_each_handle_fails_once_when_a_session_is_over(self, world):
        one, two = world.open(session_jobs=2), world.open(session_jobs=2)
        job = one.submit("a-0", [part()])
        two.look(job)
        one.submit("a-1", [part()])
        for handle, call in ((two, two.look), (one, one.look)):
            assert "Session has been closed" in str(outcome(call, job))
            handle.look(job)
        assert world.open(session_jobs=2).look(job).phase in ("running", "queued")

    def test_a_submission_to_a_closed_session_is_no_job(self, world):
        handle = world.open(session_jobs=1)
        handle.submit("a-0", [part()])
        assert "Session has been closed" in str(outcome(handle.submit, "a-1", [part()]))
        assert [event.kind for event in world.record().events()] == ["session"]
        handle.submit("a-1", [part()])
        assert [job.submission for job in world.record().jobs()] == ["a-0", "a-1"]


def test_listings_lag(world):
    handle = world.open(listing_lag_s=4.0, speedup=2.0)
    job = handle.submit("a", [part()])
    assert handle.find("a") is None
    # By its id it is known at once.
    assert not handle.look(job).is_over
    world.wait(1.9)
    assert handle.find("a") is None
    world.wait(0.1)
    assert handle.find("a") == job


@pytest.mark.parametrize("preset", ["ibm-open", "braket"])
def test_a_caller_who_follows_the_table_pays_nothing_twice(world, preset):
    """20% transient failures, 20% lost answers, and a session that ends every 10 jobs."""
    handle = world.open(
        preset=preset, transient_rate=0.2, timeout_rate=0.2, session_jobs=10, listing_lag_s=3.0
    )
    drawn, told = [], set()
    for step in range(60):
        submission, job = f"qhn-s-t-{step}-0", None
        while job is None:
            answer = outcome(handle.submit, submission, [part(step=step)])
            if isinstance(answer, str):
                job = answer
            elif classify(answer, "submit") is REATTACH and preset == "ibm-open":
                job = search(world, handle, submission)
            else:
                assert classify(answer, "submit") in (WAIT, REATTACH)
        world.wait(30.0)
        samples = answer = outcome(handle.fetch, job)
        while isinstance(answer, ProviderError):
            assert classify(answer, "poll") in (WAIT, REATTACH)
            told.add(str(answer))
            samples = answer = outcome(handle.fetch, job)
        drawn.append(samples[0])
    record = world.record()
    assert record.paid_twice() == {}
    assert len(record.jobs()) == 60
    assert {event.kind for event in record.events()} == {
        "transient", "timeout", "timeout, accepted"
    }  # fmt: skip
    assert words.SESSION_CLOSED in told
    calm = world.open()
    for step, samples in enumerate(drawn):
        job = calm.submit(f"calm-{step}", [part(step=step)])
        world.wait(30.0)
        assert (calm.fetch(job)[0] == samples).all()


def search(world, handle, submission):
    """Look for a job until every lag is over; None if there is none."""
    for _ in range(4):
        found = outcome(handle.find, submission)
        while isinstance(found, ProviderError):
            found = outcome(handle.find, submission)
        if found is not None:
            return found
        world.wait(1.0)
    return None
