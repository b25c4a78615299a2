"""What is written to MLflow about a trial that used a quantum processor."""

from __future__ import annotations

from collections.abc import Mapping

from qhn.sweeps.store import TrialResult

BACKEND_TAG, JOBS_TAG = "qhn.backend", "qhn.job_ids"
CALIBRATED_TAG = "qhn.calibrated"
# MLflow refuses longer tags in some of its versions.
_LONGEST_TAG = 5000
#: MLflow's names of metrics, and the entries of a result's account of its lane that they show.
METRICS: Mapping[str, str] = {
    "qpu_jobs": "jobs",
    "qpu_failed_attempts": "failed",
    "qpu_shots": "shots",
    "qpu_seconds": "qpu_seconds",
    "qpu_cost": "cost",
    "qpu_waiting_seconds": "waiting_s",
    "qpu_queued_seconds": "queued_s",
    "qpu_executing_seconds": "executing_s",
    "qpu_classical_seconds": "classical_s",
}


def lane_metrics(result: TrialResult | None) -> dict[str, float]:
    """What a trial took of its lane, by MLflow's names; empty for a trial without a lane.

    Seconds are those of waiting for leases, of waiting at the provider, of executing there, and of
    computing here; ``qpu_seconds`` are those of the processor that were billed.
    """
    if result is None or result.lane is None:
        return {}
    found = {name: result.lane.get(entry) for name, entry in METRICS.items()}
    # Another version may know other entries.
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def lane_tags(result: TrialResult | None) -> dict[str, str]:
    """The device, its calibration, and the provider's ids of the last jobs of a trial, as tags."""
    if result is None or result.lane is None:
        return {}
    lane = result.lane
    tags = {}
    if backend := lane.get("backend"):
        tags[BACKEND_TAG] = str(backend)
    if calibrated := lane.get("calibrated"):
        tags[CALIBRATED_TAG] = str(calibrated)
    if isinstance(jobs := lane.get("job_ids"), list) and jobs:
        tags[JOBS_TAG] = _as_tag([str(job) for job in jobs])
    return tags


def _as_tag(jobs: list[str]) -> str:
    """The ids in one text. The newest are kept if it would be too long for a tag."""
    while len(text := " ".join(jobs)) > _LONGEST_TAG:
        jobs = jobs[1 + len(jobs) // 10 :]
    return text
