"""What a trial needs to know about its lane, as plain data that can be sent to its process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from qhn.lanes.amounts import Usage
from qhn.lanes.limits import Budget, Limits, Prices


@dataclass(frozen=True)
class Ticket:
    """The lane of a trial on a queued device.

    Attributes:
        lane: the name of the lane in the sweep file.
        queue: the name of the queue, by which all sweeps find the same broker and ledger.
        store: the address of the store that holds the sweep and the ledger.
        sweep: the name of the sweep, on whose account the jobs are.
        limits: what may be under way in the lane at once.
        budget: what the sweep may use of it; None if it is not limited.
        prices: what a job costs.
        job_s: the seconds of the processor that a job is expected to take, however short.
        execution_s: the seconds of the processor that one execution is expected to take.
        access: the settings with which the device is reached, as JSON values. It has no secret.
    """

    lane: str
    queue: str
    store: str
    sweep: str
    limits: Limits = field(default_factory=Limits)
    budget: Budget | None = None
    prices: Prices = field(default_factory=Prices)
    job_s: float = 2.0
    execution_s: float = 0.0
    access: Mapping[str, Any] = field(default_factory=dict)

    def wanted(self, executions: int) -> Usage:
        """What a job with so many executions of circuits is expected to use."""
        seconds = self.job_s + self.execution_s * executions
        return Usage(executions, seconds, self.prices.of(executions, seconds))

    def to_json(self) -> str:
        """The ticket as one JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` made."""
        values = json.loads(text)
        budget = values["budget"]
        values["limits"] = Limits(**values["limits"])
        values["budget"] = None if budget is None else Budget(**budget)
        values["prices"] = Prices(**values["prices"])
        return cls(**values)
