"""A device with a queue that is never reached, for tests of sweep files and plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from qhn.core.errors import InvalidValueError
from qhn.devices import Capabilities
from qhn.devices.queued import Provider

PROVIDER = Provider(
    queue_s=8.0,
    job_s=2.0,
    execution_s=0.0001,
    pending=3,
    submissions_per_minute=5,
    parts_per_job=100,
    executions_per_job=1_000_000,
    price_second=1.6,
)


@dataclass(frozen=True)
class OracleAccess:
    """Settings that decide no numbers."""

    plan: Literal["open", "paid", "single"] = "open"
    region: str | None = None
    patience: float = 1.0

    def __post_init__(self):
        if self.patience < 0:
            raise InvalidValueError(
                f"`patience >= 0` must hold, but got patience={self.patience:g}"
            )

    @property
    def provider(self):
        if self.plan == "single":
            return Provider(job_s=4.0, price_job=0.3, price_shot=0.01)
        return PROVIDER

    def queue(self, label):
        return f"oracle-{self.region or label}"

    def placed(self, folder, label):
        return self


@dataclass(frozen=True)
class Oracle:
    """Only samples, waits in a queue, and refuses to be opened."""

    kind: ClassVar[str] = "oracle"
    shorthand: ClassVar[str] = "shots"
    access: ClassVar[type] = OracleAccess
    shots: int = 100
    estimator: Literal["spsa"] | None = None

    def __post_init__(self):
        if self.shots < 1:
            raise InvalidValueError(f"`shots >= 1` must hold, but got shots={self.shots}")

    @property
    def capabilities(self):
        return Capabilities(
            distribution=False,
            samples=True,
            log_q=False,
            reproducible=False,
            queued=True,
            submission="findable",
            shots=self.shots,
        )

    def open(self, ansatz):
        raise AssertionError("nothing may open a queued device that is only planned")
