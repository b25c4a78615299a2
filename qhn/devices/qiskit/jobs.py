"""What Qiskit Runtime says about a job, as a `JobReport`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from qhn.devices.queued import JobReport, Phase

_PHASES: Mapping[str, Phase] = {
    "INITIALIZING": "queued",
    "QUEUED": "queued",
    "RUNNING": "running",
    "DONE": "done",
    "CANCELLED": "failed",
    "ERROR": "failed",
}


def report_of(job: Any) -> JobReport:
    """Ask the platform about a job: its status, and once it runs, its times and its usage.

    A status that is not known counts as waiting, so that a new word of the platform ends no trial.
    """
    status = status_of(job)
    phase = _PHASES.get(status, "queued")
    if phase == "queued":
        return JobReport(phase)
    metrics: Mapping[str, Any] = job.metrics() or {}
    usage: Mapping[str, Any] = metrics.get("usage") or {}
    times: Mapping[str, Any] = metrics.get("timestamps") or {}
    seconds = usage.get("quantum_seconds", usage.get("seconds"))
    return JobReport(
        phase,
        why=_why(job, status) if phase == "failed" else "",
        shots=metrics.get("executions"),
        qpu_seconds=None if seconds is None else float(seconds),
        queued_s=_between(times, "created", "running"),
        executing_s=_between(times, "running", "finished"),
        calibrated=_calibrated(job) if phase == "done" else None,
    )


def status_of(job: Any) -> str:
    """The status as a word: jobs on the platform have a string, those of the local mode an enum."""
    status = job.status()
    return str(getattr(status, "name", status)).upper()


def _why(job: Any, status: str) -> str:
    if status == "CANCELLED":
        return "the job was cancelled"
    return str(job.error_message() or "the job has failed, and the platform gives no reason")


def _between(times: Mapping[str, Any], first: str, last: str) -> float | None:
    """The seconds between two moments; None as long as one of them is missing."""
    moments = [_moment(times.get(name)) for name in (first, last)]
    if moments[0] is None or moments[1] is None:
        return None
    # A job that never ran was over before it started.
    return max(0.0, (moments[1] - moments[0]).total_seconds())


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime) or value is None:
        return value
    with suppress(ValueError):
        return datetime.fromisoformat(str(value))
    return None


def _calibrated(job: Any) -> str | None:
    # The date is only told to people. That it is missing must not keep a paid job from its trial.
    with suppress(Exception):
        return str(job.properties().last_update_date.isoformat())
    return None
