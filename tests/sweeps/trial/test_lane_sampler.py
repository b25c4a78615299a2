"""A trial on a queued device: its account, its budget, its kept samples, and what it is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lane_world import ACCESS, LIMITS, World, config, problem

from qhn.core.errors import LaneError, StoreError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.queued import Part
from qhn.devices.rehearsal.handle import RehearsalHandle
from qhn.lanes.limits import Budget
from qhn.lanes.local import LocalDesk
from qhn.sweeps.config import factory
from qhn.sweeps.store.samples import read_samples
from qhn.sweeps.trial.lane_use import LaneUse
from qhn.sweeps.trial.parts import decode_part, encode_part
from qhn.sweeps.trial.session import TrialSession

CONFIG = config(steps=3)


def test_the_numbers_are_those_of_exact_sampling(tmp_path):
    world = World(tmp_path).add(CONFIG).run()
    exact = CONFIG.content()
    exact["device"] |= {"name": "exact"}
    plain = type(CONFIG).model_validate(exact)
    with plain.device.open(factory.ansatz(plain)) as device:
        session = TrialSession(plain, problem(), device, world.store)
        while not session.work(0.0).finished:
            pass
    mine, other = (world.store.result(one.trial_id) for one in (CONFIG, plain))
    assert mine.metrics == other.metrics
    assert other.lane is None


def test_the_account_is_kept_with_the_result(tmp_path):
    world = World(tmp_path).add(CONFIG).run()
    use = LaneUse.of(world.store.result(CONFIG.trial_id).lane)
    # Four evaluations; with a report each has three circuits of 16 shots.
    assert (use.jobs, use.shots) == (4, 4 * 3 * 16)
    assert use.qpu_seconds == pytest.approx(4 * (2.0 + 48 * 250e-6))
    assert use.queued_s == pytest.approx(4 * 3.0)
    assert len(set(use.job_ids)) == 4
    assert use.backend.startswith("rehearsal")


def test_each_trial_fetches_its_own_part_of_a_shared_job(tmp_path, monkeypatch):
    drawn = []
    real = RehearsalHandle._sample
    monkeypatch.setattr(
        RehearsalHandle, "_sample", lambda self, part: drawn.append(part.key) or real(self, part)
    )
    trials = [config(seed) for seed in range(4)]
    world = World(tmp_path, limits=replace(LIMITS, requests_per_job=4)).add(*trials).run()
    steps = len(world.paid())
    assert (steps, world.jobs() < steps) == (4 * 2, True)
    # Its samples are drawn once for each step that was paid for, whoever shared the job with it.
    assert sorted((key.trial, key.step) for key in drawn) == sorted(world.paid())
    alone = World(tmp_path / "alone").add(*trials).run()
    assert world.digest() == alone.digest()


def test_it_comes_back_while_it_waits_and_changes_nothing(tmp_path):
    world = World(tmp_path).add(CONFIG)
    (life,) = world.lives
    world.turn(life)
    before = life.session.trainer.state()
    progress = life.session.work(0.0)
    assert progress.lane["state"] in ("queued", "executing")
    assert (progress.step, progress.metrics, progress.finished) == (0, {}, False)
    after = life.session.trainer.state()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert world.store.checkpoint(CONFIG.trial_id) is None


def test_every_step_is_saved_before_the_next_is_paid_for(tmp_path):
    world = World(tmp_path).add(CONFIG)
    (life,) = world.lives
    seen = []
    while not life.finished:
        world.turn(life)
        checkpoint = world.store.checkpoint(CONFIG.trial_id)
        seen.append((0 if checkpoint is None else checkpoint.step, world.jobs()))
    # The step of the checkpoint is that of the job that comes next, or is under way.
    assert all(jobs <= step + 1 for step, jobs in seen)


class TestBudget:
    def test_a_trial_pauses_and_goes_on_with_a_greater_budget(self, tmp_path):
        world = World(tmp_path, budget=Budget(shots=2 * 48)).add(CONFIG).run()
        (life,) = world.lives
        assert not life.finished
        assert "the budget of lane qpu is spent: its jobs have used 96 shots" in life.paused
        assert world.store.result(CONFIG.trial_id) is None
        assert world.store.checkpoint(CONFIG.trial_id)["step"] == 2
        life.paused, world.budget = "", Budget(shots=1000)
        world.run()
        whole = World(tmp_path / "whole").add(CONFIG).run()
        assert world.digest() == whole.digest()
        assert world.jobs() == 4

    def test_a_trial_waits_where_the_lane_says_so(self, tmp_path):
        world = World(tmp_path, budget=Budget(shots=48, when_spent="wait")).add(CONFIG)
        (life,) = world.lives
        for _ in range(30):
            world.turn(life)
        assert life.session.work(0.0).lane["state"] == "waiting for budget"
        assert world.jobs() == 1


class TestKeptSamples:
    def test_are_not_fetched_again_after_a_crash(self, tmp_path):
        access = replace(ACCESS, submission="findable")
        whole = World(tmp_path / "whole", access, reproducible=False).add(CONFIG).run()
        fetches = whole.names.count("fetch")
        assert fetches == 4
        # Killed right after the samples of the second step were kept.
        at = [n for n, name in enumerate(whole.names, 1) if name == "release"][1]
        world = World(tmp_path / "crash", access, reproducible=False, crash_at=at)
        world.add(CONFIG).run()
        assert world.killed_in == "release"
        assert world.names.count("fetch") == fetches
        assert world.digest() == whole.digest()
        assert world.paid() == whole.paid()
        kept = read_samples(world.store, CONFIG.trial_id, 1, (3, 16))
        assert kept.dtype == np.int64
        assert world.store.backend.get(f"{CONFIG.trial_id}/samples/000001.npy").find(b"|u1") > 0

    def test_damaged_ones_are_fetched_again(self, tmp_path):
        world = World(tmp_path, reproducible=False).add(CONFIG)
        (life,) = world.lives
        while world.store.checkpoint(CONFIG.trial_id) is None:
            world.turn(life)
        world.store.backend.put(f"{CONFIG.trial_id}/samples/000001.npy", b"no array")
        world.begin(life)
        while not life.finished:
            world.turn(life)
            notes = life.sampler.notes if life.sampler else []
            world.told = getattr(world, "told", []) + notes
        assert any("fetched from the provider again" in note for note in world.told)
        assert world.jobs() == 4


class TestSlowSubmissions:
    """The call takes so long that the broker has given its stores back meanwhile."""

    @pytest.fixture
    def slow(self, monkeypatch):
        real = RehearsalHandle.submit
        after = []

        def submit(handle, submission, parts):
            job_id = real(handle, submission, parts)
            after.pop()(submission) if after else None
            return job_id

        monkeypatch.setattr(RehearsalHandle, "submit", submit)
        return after

    def test_the_job_is_known_nevertheless(self, tmp_path, slow):
        # Nobody could find it.
        world = World(tmp_path, replace(ACCESS, submission="neither")).add(CONFIG)
        slow.append(lambda submission: world.kill_broker())
        world.run()
        assert [life.error for life in world.lives] == [None]
        assert set(world.paid().values()) == {1}

    def test_the_job_is_known_to_the_sampler_that_goes_on_after_the_store_was_away(
        self, tmp_path, monkeypatch
    ):
        world = World(tmp_path, replace(ACCESS, submission="neither")).add(CONFIG)
        (life,) = world.lives

        def away(*arguments):
            raise StoreError("the store is away")

        monkeypatch.setattr(LocalDesk, "submitted", away)
        world.begin(life)
        known = life.sampler
        while life.error is None:
            world.turn(life)
        assert isinstance(life.error, StoreError)
        monkeypatch.undo()
        life.error = None
        world.begin(life)
        life.sampler.submitted = known.submitted
        world.run()
        assert (life.finished, life.error) == (True, None)
        assert set(world.paid().values()) == {1}

    def test_a_job_that_was_given_up_meanwhile_is_told_of(self, tmp_path, slow):
        world = World(tmp_path).add(CONFIG)
        (life,) = world.lives

        def give_up(submission):
            world.desk.gone(life.sampler.holder)
            assert world.desk.settle(submission, "failed", why="it is nowhere")

        slow.append(give_up)
        told = []
        while not life.finished:
            sampler = life.sampler
            world.turn(life)
            told += [] if sampler is None else sampler.notes
        assert any("was accepted only after it had been given up" in note for note in told)


class TestRefusals:
    def test_a_job_that_the_provider_refuses_for_good_ends_the_trial(self, tmp_path):
        access = replace(ACCESS, executions_per_job=10)
        world = World(tmp_path, access).add(CONFIG).run()
        (life,) = world.lives
        assert isinstance(life.error, LaneError)
        assert "exceeds the 10 that one job may have" in str(life.error)
        assert "rehearsal (queue practice)" in str(life.error)
        (record,) = world.records()
        assert (record.state, record.used.shots) == ("failed", 0)

    def test_jobs_that_always_fail_end_the_trial_after_some(self, tmp_path):
        world = World(tmp_path, replace(ACCESS, failure_rate=1.0)).add(CONFIG).run()
        (life,) = world.lives
        assert "the job of step 0 failed 10 times" in str(life.error)
        assert world.jobs() == 10

    @pytest.mark.parametrize("accepted", [True, False])
    def test_after_an_error_that_nobody_knows_the_job_is_looked_for(
        self, tmp_path, monkeypatch, accepted
    ):
        real = RehearsalHandle.submit

        def submit(handle, submission, parts):
            if accepted:
                real(handle, submission, parts)
            raise ValueError("Expecting value: line 1 column 1 (char 0)")

        monkeypatch.setattr(RehearsalHandle, "submit", submit)
        world = World(tmp_path, replace(ACCESS, submission="findable")).add(CONFIG).run()
        (life,) = world.lives
        assert life.finished == accepted
        if accepted:
            assert set(world.paid().values()) == {1}
        else:
            assert "the job was refused" in str(life.error)
            assert [record.state for record in world.records()] == ["failed"]

    @pytest.mark.parametrize("why", ["the backend was restarted", "quota exceeded"])
    def test_a_trial_that_failed_with_its_jobs_can_be_tried_again(self, tmp_path, monkeypatch, why):
        monkeypatch.setattr("qhn.devices.rehearsal.words.JOB_FAILED", (why,))
        world = World(tmp_path, replace(ACCESS, failure_rate=1.0)).add(CONFIG).run()
        (life,) = world.lives
        assert why in str(life.error)
        # What made the jobs fail was mended, and the trial begins again with --retry-failed.
        life.error, world.access = None, replace(world.access, failure_rate=0.0)
        world.run()
        assert (life.finished, life.error) == (True, None)
        assert set(world.paid().values()) == {1}

    def test_a_full_queue_is_waited_for(self, tmp_path):
        access = replace(ACCESS, pending=1, submissions_per_minute=6)
        limits = replace(LIMITS, jobs_in_flight=4)
        world = World(tmp_path, access, limits).add(config(0), config(1)).run()
        assert [life.error for life in world.lives] == [None, None]
        assert any("maximum number of pending jobs" in r.why for r in world.records())
        assert set(world.paid().values()) == {1}


def test_a_part_is_the_same_after_its_way_through_the_broker():
    ansatz = factory.ansatz(CONFIG)
    sets = np.random.default_rng(3).uniform(0, 7, (5, *ansatz.parameter_shape))
    part = Part(ansatz, sets, 12, SampleKey("0123456789abcdef", 2**70, 9))
    found = decode_part(encode_part(part))
    assert found.sets.tobytes() == sets.tobytes()
    assert (found.ansatz, found.shots, found.key) == (ansatz, 12, part.key)


def test_a_lease_is_renewed_as_long_as_the_job_takes(tmp_path):
    world = World(tmp_path, replace(ACCESS, queue_s=100.0)).add(config()).run()
    assert set(world.paid().values()) == {1}
    assert world.names.count("admit") == 2
    assert world.names.count("renew") > 2 * 100 / LIMITS.term_s
