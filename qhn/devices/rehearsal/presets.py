"""How the rehearsal device can behave: all settings with their values, and three known mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.devices.capabilities import Submission

#: How the times that jobs wait are spread around their mean.
QueueSpread = Literal["exponential", "constant"]
#: The names of all presets.
Preset = Literal["ibm-open", "braket", "iqm"]


@dataclass(frozen=True)
class Behaviour:
    """A provider's behaviour in full. All times are seconds of the provider, before any speedup.

    The meaning of each field is the same as in `qhn.devices.rehearsal.access.RehearsalAccess`, but
    here None means that there is no such limit.
    """

    submission: Submission
    queue_s: float
    job_s: float
    execution_s: float
    queue_spread: QueueSpread = "exponential"
    pending: int | None = None
    submissions_per_minute: int | None = None
    parts_per_job: int = 1
    executions_per_job: int | None = None
    price_job: float = 0.0
    price_shot: float = 0.0
    price_second: float = 0.0
    price_minimum: float = 0.0
    transient_rate: float = 0.0
    timeout_rate: float = 0.0
    timeout_accepted: float = 0.5
    failure_rate: float = 0.0
    session_jobs: int | None = None
    listing_lag_s: float = 0.0


# The limits and the times of processors are what providers document. The queue times are our own
# choice, because real ones differ from hour to hour, and the prices are examples of an order of
# magnitude and no quotation.
PRESETS: dict[Preset, Behaviour] = {
    "ibm-open": Behaviour(
        submission="findable",
        queue_s=20.0,
        job_s=2.0,
        execution_s=250e-6,
        pending=3,
        submissions_per_minute=5,
        parts_per_job=100,
        executions_per_job=10_000_000,
        price_second=1.60,
        listing_lag_s=2.0,
    ),
    "braket": Behaviour(
        submission="idempotent",
        queue_s=10.0,
        job_s=1.0,
        execution_s=100e-6,
        price_job=0.30,
        price_shot=0.001,
    ),
    "iqm": Behaviour(
        submission="neither",
        queue_s=10.0,
        job_s=1.0,
        execution_s=200e-6,
        price_second=0.30,
    ),
}
