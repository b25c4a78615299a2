"""Measures trials on a QPU and simulated ones in one sweep, and the same with plain Tune.

The figures, all from the QPU's record and the results of the trials:

simulated_s         from the start of Ray to the end of the last simulated trial
simulated_ratio     the same, divided by what these trials take alone (before and after, the mean)
idle_share          the share of the time with fewer jobs at the QPU than there should be
refill_ms_median    the time from the end of a job to the submission that takes its place
qpu_s               from the start of Ray to the end of the last job
processor_s         seconds of the machine's cores that all processes of the sweep used
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from throttling.files import Processor, simulated, sweep_file
from throttling.running import Ran, run
from throttling.witness import idle_share, jobs_of, most_at_once, refill_s

#: Trials on a QPU for each simulated one, each with other shots.
SHOTS = (254, 255, 256)


@dataclass(frozen=True)
class Sizes:
    """How large the sweep is.

    Attributes:
        simulated: simulated trials; there are three times as many on the QPU.
        steps: the steps of each trial.
        trajectories: the work of a simulated trial.
        speedup: how much faster than its own seconds the QPU is.
    """

    simulated: int
    steps: int
    trajectories: int
    speedup: float


def measure(sizes: Sizes, queue_s: float, folder: Path, *, plain: bool) -> dict[str, Any]:
    """Measure the sweep at one queue time, between two runs of its simulated trials alone."""
    before = _alone(sizes, folder / "before")
    processor = Processor(folder / "qpu", sizes.speedup, queue_s)
    both = run(_mixed(sizes, processor), folder / "mixed", "--queued-first")
    after = _alone(sizes, folder / "after")
    alone = [before.needed("simulator"), after.needed("simulator")]
    found = {
        "queue_s": queue_s,
        "jobs_in_flight": processor.jobs_in_flight,
        "simulated_alone_s": alone,
        "leases": _judged(both, processor, statistics.mean(alone)),
    }
    if plain:
        slots = Processor(folder / "qpu-plain", sizes.speedup, queue_s)
        tune = run(
            _mixed(sizes, slots),
            folder / "plain",
            "--slots",
            str(slots.jobs_in_flight),
            module="throttling.plain_tune",
        )
        found["plain Tune"] = _judged(tune, slots, statistics.mean(alone))
    return found


def _mixed(sizes: Sizes, processor: Processor) -> str:
    devices = [processor.device(shots) for shots in SHOTS] + [simulated(sizes.trajectories)]
    return sweep_file("mixed", devices, seeds=sizes.simulated, steps=sizes.steps, lane={})


def _alone(sizes: Sizes, folder: Path) -> Ran:
    devices = [simulated(sizes.trajectories)]
    text = sweep_file("alone", devices, seeds=sizes.simulated, steps=sizes.steps, lane={})
    return run(text, folder)


def _judged(ran: Ran, processor: Processor, alone_s: float) -> dict[str, Any]:
    jobs = jobs_of(processor.folder)
    first = ran.first_start("simulator")
    refills = refill_s(jobs, processor.jobs_in_flight)
    return {
        "jobs": len(jobs),
        "jobs_before_first_simulated": sum(job.submitted < first for job in jobs),
        "first_simulated_before_fifth_job": first < jobs[4].submitted,
        "simulated_s": ran.needed("simulator"),
        "simulated_ratio": ran.needed("simulator") / alone_s,
        "idle_share": idle_share(jobs, processor.jobs_in_flight),
        "most_at_once": most_at_once(jobs),
        "refill_ms_median": 1e3 * statistics.median(refills) if refills else None,
        "qpu_s": max(job.ends for job in jobs) - ran.began,
        "processor_s": ran.processor,
    }
