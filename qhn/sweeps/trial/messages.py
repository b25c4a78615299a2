"""The message from a trial actor to the driver. It is the only kind of message between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from qhn.sweeps.store import TrialError


@dataclass(frozen=True)
class Answer:
    """The outcome of one piece of work.

    Attributes:
        trial_id: the id of the trial.
        step: the step of the trial's last report.
        finished: whether the trial has made all its steps.
        seconds: the seconds of training in this piece of work.
        metrics: the metrics of the last report, by name.
        stop: the result, as JSON text, that the trial gets if it is stopped early at this report.
            None if the sweep stops no trials, or if the report has a number that is not finite.
        error: why the trial has failed; None if it has not.
        store_error: why the store cannot be used; None if it can. This error ends the sweep.
        notes: lines for people about files that were set aside, and advice.
        lane: where a trial on a queued device is, and what it has used so far, as
            `qhn.sweeps.trial.lane_use.LaneUse.content` gives it; None for any other trial.
        paused: why the trial does not go on for now, although it has neither finished nor failed:
            its budget is spent. The same sweep with a greater one continues it. Empty otherwise.
        node: Ray's id of the machine that the trial runs on.
        waiting: why the store cannot be used for now, if the trial waits for it; empty otherwise.
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
    lane: Mapping[str, Any] | None = None
    paused: str = ""
    node: str = ""
    waiting: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the actor will do no further work for this trial."""
        failed = self.error is not None or self.store_error is not None
        return self.finished or failed or bool(self.paused)

    def to_json(self) -> str:
        """The answer as one JSON text.

        Tune keeps statistics of each number in a result as long as it runs. A text has none.
        """
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` made."""
        values = json.loads(text)
        error = values["error"]
        values["error"] = None if error is None else TrialError(**error)
        return cls(**{**values, "notes": tuple(values["notes"])})
