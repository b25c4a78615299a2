"""Measures what it brings to put the steps of several trials into one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from throttling.files import Processor, sweep_file
from throttling.running import run
from throttling.witness import jobs_of, span

#: The settings of the preset hold, among them 5 submissions a minute.
_PRESET = {
    "preset": "ibm-open",
    "queue_s": None,
    "job_s": None,
    "execution_s": None,
}


def measure(trials: int, steps: int, speedup: float, folder: Path) -> dict[str, Any]:
    """The same sweep with one step in each job, and with as many as the lane takes by default."""
    one = _ran(trials, steps, speedup, folder / "one", {"requests_per_job": 1})
    several = _ran(trials, steps, speedup, folder / "several", {})
    return {
        "trials": trials,
        "steps": steps,
        "one_step_per_job": one,
        "several_steps_per_job": several,
        "times_less_wall_time": one["wall_s"] / several["wall_s"],
        "billed_ratio": several["qpu_seconds"] / one["qpu_seconds"],
        "same_numbers": one["digest"] == several["digest"],
    }


def _ran(
    trials: int, steps: int, speedup: float, folder: Path, lane: dict[str, Any]
) -> dict[str, Any]:
    processor = Processor(folder / "qpu", speedup)
    settings = {key: value for key, value in processor.device(256, **_PRESET).items() if value}
    ran = run(
        sweep_file("coalescing", [settings], seeds=trials, steps=steps, lane=lane), folder / "s"
    )
    jobs = jobs_of(processor.folder)
    return {
        "jobs": len(jobs),
        "wall_s": span(jobs),
        "qpu_seconds": sum(job.qpu_seconds for job in jobs),
        "digest": ran.digest,
    }
