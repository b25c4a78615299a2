"""Measures how two sweeps on one Ray share a QPU."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qhn.core.errors import NotFoundError
from qhn.devices.rehearsal.record import Job
from qhn.sweeps.driver.handlers import handlers_kept
from qhn.sweeps.driver.local_ray import available_cpus, local_ray
from qhn.sweeps.planning.machine import this_machine
from throttling.files import JOB_S, Processor, sweep_file
from throttling.running import Sweep
from throttling.witness import jobs_of, most_at_once, qpu_seconds

IN_FLIGHT = 2
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Load:
    """The work of one sweep.

    Attributes:
        trials: how many trials it has.
        jobs: the jobs of each trial.
        job_s: the provider's seconds of each job.
    """

    trials: int
    jobs: int
    job_s: float = JOB_S

    @property
    def seconds(self) -> float:
        """The provider's seconds of all its jobs."""
        return self.trials * self.jobs * self.job_s


@contextmanager
def shared_ray(folder: Path) -> Iterator[str]:
    """A Ray for several drivers, and its address."""
    folder.mkdir(parents=True)
    with local_ray({"CPU": available_cpus()}, this_machine(), folder, handlers_kept):
        import ray

        yield ray.get_runtime_context().gcs_address


def together(loads: list[Load], speedup: float, folder: Path, address: str) -> dict[str, Any]:
    """Two sweeps that start at the same time: how much each gets while both have work."""
    qpu = Processor(folder / "qpu", speedup, in_flight=IN_FLIGHT)
    sweeps = [_start(load, i, qpu, folder, address) for i, load in enumerate(loads)]
    ran = [sweep.wait() for sweep in sweeps]
    jobs = jobs_of(qpu.folder)
    trials = [set(one.trials) for one in ran]
    ours = [_of(jobs, some) for some in trials]
    # Until then both have had work from the later beginning on.
    begin = max(some[0].submitted for some in ours)
    end = min(max(job.ends for job in some) for some in ours)
    within = [job for job in jobs if job.submitted >= begin]
    had = [qpu_seconds(within, some, end) for some in trials]
    return {
        "loads": [f"{load.trials} x {load.jobs} jobs of {load.job_s:g} s" for load in loads],
        "jobs": len(jobs),
        "most_at_once": most_at_once(jobs),
        "both_at_work_s": end - begin,
        "qpu_seconds": had,
        "ratio": max(had) / min(had),
    }


def late(big: Load, small: Load, speedup: float, folder: Path, address: str) -> dict[str, Any]:
    """A small sweep that starts while a big one is at work: how long its work takes."""
    qpu = Processor(folder / "qpu", speedup, in_flight=IN_FLIGHT)
    first = _start(big, 0, qpu, folder, address)
    _wait_for_jobs(qpu, 2 * IN_FLIGHT)
    second = _start(small, 1, qpu, folder, address)
    ran = second.wait()
    first.wait()
    jobs = jobs_of(qpu.folder)
    ours = _of(jobs, set(ran.trials))
    others = [job for job in jobs if job not in ours]
    begin, end = ran.first_start("qpu"), max(job.ends for job in ours)
    share = 2 * small.seconds / speedup
    return {
        "loads": [f"{load.trials} x {load.jobs} jobs of {load.job_s:g} s" for load in (big, small)],
        "jobs": len(jobs),
        "most_at_once": most_at_once(jobs),
        "big_at_work_to_the_end": max(job.submitted for job in others) > end,
        "took_s": end - begin,
        "fair_share_s": share,
        "ratio": (end - begin) / share,
    }


def _start(load: Load, number: int, qpu: Processor, folder: Path, address: str) -> Sweep:
    # Other shots make other trials. The last job of a trial is that of its last report.
    device = qpu.device(250 + number, job_s=load.job_s)
    lane = {"jobs_in_flight": IN_FLIGHT}
    name = f"sweep-{number}"
    text = sweep_file(name, [device], seeds=load.trials, steps=load.jobs - 1, lane=lane)
    return Sweep("throttling.driver", text, folder / name, ["--address", address])


def _of(jobs: list[Job], trials: set[str]) -> list[Job]:
    return [job for job in jobs if job.steps[0].trial in trials]


def _wait_for_jobs(qpu: Processor, number: int) -> None:
    while True:
        try:
            if len(jobs_of(qpu.folder)) >= number:
                return
        except NotFoundError:
            pass
        time.sleep(_LOOK_EVERY_S)
