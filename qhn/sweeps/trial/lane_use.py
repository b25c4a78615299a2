"""What a trial on a queued device has used of its lane, and where it is at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

#: Where the trial is. ``computing`` means that it holds nothing and waits for nothing.
Whereabouts = Literal["computing", "waiting for lease", "queued", "executing", "waiting for budget"]

#: How many job ids are kept. A trial of many steps has more, and the ledger has all of them.
KEPT_JOBS = 300


@dataclass
class LaneUse:
    """The account of one trial. It is kept in the trial's checkpoint, and a part of its result.

    Attributes:
        jobs: jobs whose samples the trial has used. One that it shared with others counts once.
        failed: attempts that came to nothing.
        shots: executions of its circuits that were paid for.
        qpu_seconds: its part of the seconds of the processor.
        cost: its part of the money.
        waiting_s: seconds for which it waited for leases.
        queued_s: seconds for which its jobs waited at the provider.
        executing_s: seconds for which its jobs executed.
        classical_s: seconds for which it computed.
        job_ids: the provider's ids of its last jobs, at most `KEPT_JOBS`.
        backend: the device, as people read it.
        calibrated: when the backend was calibrated before the last job, as ISO 8601 text, or None.
    """

    jobs: int = 0
    failed: int = 0
    shots: int = 0
    qpu_seconds: float = 0.0
    cost: float = 0.0
    waiting_s: float = 0.0
    queued_s: float = 0.0
    executing_s: float = 0.0
    classical_s: float = 0.0
    job_ids: list[str] = field(default_factory=list)
    backend: str = ""
    calibrated: str | None = None

    def content(self, where: Whereabouts = "computing", note: str = "") -> dict[str, Any]:
        """The account as JSON values, for an `Answer`.

        Args:
            where: where the trial is; under ``state``.
            note: why it waits, in the provider's words, if there is more to say; under ``note``.
        """
        return {"state": where, "note": note, **asdict(self)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Read an account back. Entries that this version does not know are left out."""
        return cls(**{f.name: content[f.name] for f in fields(cls) if f.name in content})
