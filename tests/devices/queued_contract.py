"""What every device with a queue must keep. A test class inherits it and says how to reach one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.queued import JobReport, Part, QueuedHandle

ANSATZ = Ansatz.brickwork(n_qubits=3, depth=2)
ANGLES = np.random.default_rng(1).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)
#: States whose outcomes are known: without noise, every sample is 0, and 0b100 in the second.
FLAT = np.zeros((1, *ANSATZ.parameter_shape))
FIRST = FLAT.copy()
FIRST[0, -1, 0, 0] = np.pi


def part(sets=None, shots=20, step=0, trial="t0", seed=7):
    """A part of a job; two sets of angles unless others are given."""
    given = np.stack([ANGLES, ANGLES + 0.4]) if sets is None else sets
    return Part(ANSATZ, given, shots, SampleKey(trial, seed, step))


def most_frequent(samples):
    """The outcome that was seen most often: where there is noise, others are seen as well."""
    return np.bincount(samples.ravel()).argmax()


class World(Protocol):
    """A provider under test, with hands on its time and its luck."""

    def open(self) -> QueuedHandle:
        """A new handle for `ANSATZ`, as another process would have. The world closes it."""

    def start(self, job_id: str) -> None:
        """Let time pass until a job executes."""

    def finish(self, job_id: str) -> None:
        """Let time pass until a job has ended."""

    def list(self) -> None:
        """Let time pass until listings show all jobs."""

    def fail_next(self) -> str:
        """Make the jobs of handles fail that are opened from now on; a word of the reason."""


class QueuedContract:
    """Needs the fixtures ``world``, and ``together``: how many parts a job may have at most."""

    @pytest.fixture
    def handle(self, world):
        return world.open()

    @pytest.fixture
    def promise(self, handle):
        return handle.capabilities.submission

    def test_is_a_handle_of_a_device_that_queues(self, handle):
        assert isinstance(handle, QueuedHandle)
        assert handle.ansatz == ANSATZ
        assert handle.capabilities.queued and handle.capabilities.samples

    def test_a_job_waits_executes_and_is_done(self, world, handle):
        job = handle.submit("qhn-s-t-0-0", [part()])
        seen = handle.look(job)
        assert (seen.phase, seen.is_over, seen.shots) == ("queued", False, None)
        world.start(job)
        assert handle.look(job).phase == "running"
        world.finish(job)
        seen = handle.look(job)
        assert (seen.phase, seen.is_over, seen.why) == ("done", True, "")
        assert seen.shots == 2 * 20
        assert seen.qpu_seconds > 0
        assert seen.queued_s >= 0 and seen.executing_s >= 0

    def test_samples_are_indices_of_outcomes_with_qubit_0_highest(self, world, handle):
        job = handle.submit("qhn-s-t-0-0", [part(np.concatenate([FIRST, FLAT]), shots=90)])
        world.finish(job)
        (samples,) = handle.fetch(job)
        assert samples.dtype == np.int64
        assert [most_frequent(row) for row in samples] == [0b100, 0]

    def test_samples_are_there_for_every_process_as_often_as_it_asks(self, world, handle):
        job = handle.submit("qhn-s-t-0-0", [part()])
        world.finish(job)
        first = handle.fetch(job)
        handle.close()
        other = world.open()
        assert other.look(job).phase == "done"
        for _ in range(2):
            again = other.fetch(job)
            assert [a.tolist() for a in again] == [a.tolist() for a in first]

    def test_parts_come_back_in_their_order_and_shapes(self, world, handle, together):
        sizes = [(1, 50), (3, 70), (2, 40)][:together]
        flat = [part(np.repeat(FIRST if n % 2 else FLAT, n, axis=0), s, t) for t, (n, s) in
                enumerate(sizes)]  # fmt: skip
        job = handle.submit("qhn-s-t-0-0", flat)
        world.finish(job)
        fetched = handle.fetch(job)
        assert [samples.shape for samples in fetched] == sizes
        for (sets, _), samples in zip(sizes, fetched, strict=True):
            assert most_frequent(samples) == (0b100 if sets % 2 else 0)
        assert handle.look(job).shots == sum(n * s for n, s in sizes)

    def test_one_part_can_be_fetched_without_the_others(self, world, handle, together):
        sizes = [(1, 50), (3, 70), (2, 40)][:together]
        job = handle.submit("qhn-s-t-0-0", [
            part(np.zeros((n, *ANSATZ.parameter_shape)) + 0.4 * n, s, t)
            for t, (n, s) in enumerate(sizes)
        ])  # fmt: skip
        world.finish(job)
        whole = handle.fetch(job)
        for order in ([0], list(reversed(range(len(sizes)))), []):
            fetched = world.open().fetch(job, order)
            assert [a.tolist() for a in fetched] == [whole[place].tolist() for place in order]
        for place in (-1, len(sizes)):
            with pytest.raises(InvalidValueError, match=f"0 to {len(sizes) - 1}, but got {place}"):
                handle.fetch(job, [place])

    def test_samples_of_a_job_that_is_not_done_are_refused(self, handle):
        job = handle.submit("qhn-s-t-0-0", [part()])
        with pytest.raises(Exception, match="QUEUED"):
            handle.fetch(job)

    def test_unknown_jobs_are_refused(self, handle):
        for ask in (handle.look, handle.fetch):
            with pytest.raises(Exception, match="not found"):
                ask("no-such-job")

    def test_the_same_id_gives_the_same_job_only_where_that_is_promised(
        self, world, handle, promise
    ):
        first = handle.submit("qhn-s-t-0-0", [part()])
        second = world.open().submit("qhn-s-t-0-0", [part()])
        assert (first == second) == (promise == "idempotent")

    def test_jobs_are_found_by_their_submission_id_only_where_that_is_promised(
        self, world, handle, promise
    ):
        world.list()
        job = handle.submit("qhn-s-t-0-0", [part()])
        handle.submit("qhn-s-t-1-0", [part(step=1)])
        world.list()
        found = world.open().find("qhn-s-t-0-0")
        assert found == (job if promise == "findable" else None)
        assert handle.find("qhn-s-t-2-0") is None

    def test_a_job_that_fails_says_why(self, world):
        word = world.fail_next()
        handle = world.open()
        job = handle.submit("qhn-s-t-0-0", [part()])
        world.finish(job)
        seen = handle.look(job)
        assert isinstance(seen, JobReport)
        assert (seen.phase, seen.is_over) == ("failed", True)
        assert word in seen.why
        with pytest.raises(Exception, match=r"(?i)fail|error"):
            handle.fetch(job)

    @pytest.mark.parametrize(
        "wrong",
        [
            [],
            [part(ANGLES)],
            [part(np.stack([ANGLES])[:, :1])],
            [part(np.zeros((0, *ANSATZ.parameter_shape)))],
            [part(np.stack([ANGLES * np.nan]))],
            [part(shots=0)],
        ],
        ids=["no part", "one set", "fewer layers", "no set", "NaN", "no shots"],
    )
    def test_what_it_cannot_run_is_refused(self, world, handle, wrong):
        with pytest.raises(InvalidValueError, match="must"):
            handle.submit("qhn-s-t-0-0", wrong)

    @pytest.mark.parametrize("wrong", ["", "a" * 65, "a b", "a_b", "ä"])
    def test_submission_ids_that_providers_do_not_take_are_refused(self, handle, wrong):
        with pytest.raises(InvalidValueError, match="1 to 64 letters, digits and hyphens"):
            handle.submit(wrong, [part()])

    def test_closes_once_and_for_all(self, handle):
        job = handle.submit("qhn-s-t-0-0", [part()])
        handle.close()
        handle.close()
        calls = [
            lambda: handle.submit("qhn-s-t-1-0", [part()]),
            lambda: handle.find("qhn-s-t-0-0"),
            lambda: handle.look(job),
            lambda: handle.fetch(job),
        ]
        for call in calls:
            with pytest.raises(InvalidValueError, match="open"):
                call()
