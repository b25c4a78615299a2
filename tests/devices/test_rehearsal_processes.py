"""Several processes at one rehearsal device."""

import multiprocessing
import os
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from queued_contract import part
from rehearsing import FREE, Rehearsed, outcome

from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.provider import RehearsalProvider

_LIMIT_S = 60
_JOBS = 40


def _submit(access, name, now, barrier):
    """Submit jobs as fast as possible, beginning at the same time as the other process."""
    provider = RehearsalProvider(Path(access.folder), access, lambda: now)
    barrier.wait(_LIMIT_S)
    answers = [
        outcome(provider.submit, f"qhn-s-{name}-{n}-0", [part(trial=name, step=n)])
        for n in range(_JOBS)
    ]
    provider.close()
    return [answer for answer in answers if isinstance(answer, str)]


@pytest.fixture
def two_processes():
    """Runs `_submit` in two processes at once; what each has got."""
    # A fork of this process would have its threads' locks, and a connection of it.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:

        def run(access, now):
            barrier = manager.Barrier(2)
            runs = [pool.submit(_submit, access, name, now, barrier) for name in ("a", "b")]
            return [run.result(_LIMIT_S) for run in runs]

        yield run


def test_processes_share_one_processor_and_its_limits(tmp_path, two_processes):
    # A limit of jobs in a session makes a submission read before it writes.
    world = Rehearsed(tmp_path / "all", **FREE, session_jobs=10**6)
    answers = two_processes(world.access, world.now)
    jobs = world.record().jobs()
    assert [len(got) for got in answers] == [_JOBS, _JOBS]
    assert {job.job_id for job in jobs} == {job_id for got in answers for job_id in got}
    assert [job.number for job in jobs] == list(range(1, 2 * _JOBS + 1))
    # One after the other on the processor, whoever submitted them.
    assert [job.starts for job in jobs[1:]] == [job.ends for job in jobs[:-1]]

    # With room for 25, exactly 25 are taken, and each refusal is written down.
    few = replace(world.access, folder=str(tmp_path / "few"), pending=25)
    answers = two_processes(few, world.now)
    world.folder = tmp_path / "few"
    record = world.record()
    assert sum(map(len, answers)) == len(record.jobs()) == record.most_pending() == 25
    assert [event.kind for event in record.refusals()] == ["pending"] * (2 * _JOBS - 25)
    world.close()


def _die_while_writing(folder, now):
    """Die in the middle of a submission, with the job written but not committed."""
    access = RehearsalAccess(folder=str(folder), **FREE)
    provider = RehearsalProvider(folder, access, lambda: now)
    receive = provider._intake.receive

    def receive_and_die(*arguments):
        assert receive(*arguments).job_id is not None
        os._exit(9)

    provider._intake.receive = receive_and_die
    provider.submit("qhn-s-t-0-0", [part()])


def test_a_process_that_dies_while_it_submits_leaves_no_half_job(tmp_path):
    world = Rehearsed(tmp_path, **FREE)
    handle = world.open()
    handle.submit("qhn-s-t-1-0", [part()])
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_die_while_writing, args=(tmp_path, world.now))
    process.start()
    process.join(_LIMIT_S)
    assert process.exitcode == 9
    # Nobody waits for the dead process's lock, and the file is whole.
    handle.submit("qhn-s-t-2-0", [part()])
    assert [job.submission for job in world.record().jobs()] == ["qhn-s-t-1-0", "qhn-s-t-2-0"]
    file = sqlite3.connect(world.open()._provider._file.path)
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
    world.close()
