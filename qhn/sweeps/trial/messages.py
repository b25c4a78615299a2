"""What a trial actor tells the driver: the one message that crosses the process boundary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from qhn.sweeps.store import TrialError


@dataclass(frozen=True)
class Answer:
    """One piece of work, seen from outside.

    Attributes:
        trial_id: whose work it was.
        step: of the trial's last report.
        finished: whether the trial has made all its steps.
        seconds: spent training.
        metrics: of the last report.
        stop: the result, as JSON, that the trial has if it is stopped early at this report; None
            where the sweep stops no trials, and where the report is not finite.
        error: why the trial has failed, if it has.
        store_error: why the store cannot be used, if it cannot: the sweep ends then.
        notes: lines for people, about files that were set aside.
    """

    trial_id: str
    step: int = 0
    finished: bool = False
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    stop: str | None = None
    error: TrialError | None = None
    store_error: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether no further piece of work comes of this trial."""
        return self.finished or self.error is not None or self.store_error is not None

    def to_json(self) -> str:
        """One text: of every number in a result Tune keeps an account, for as long as it runs."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` made."""
        values = json.loads(text)
        error = values["error"]
        values["error"] = None if error is None else TrialError(**error)
        return cls(**{**values, "notes": tuple(values["notes"])})
