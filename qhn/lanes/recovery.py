"""What is right to do about a step, given its record and what the device promises.

Whoever wants a job for a step asks this first: a trial that starts again, or one that takes over
the job of another.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from qhn.core.errors import InvalidValueError
from qhn.lanes.ledger import Record

#: What a device promises about repeated work; the same as `qhn.devices.capabilities.Submission`,
#: which this room must not import.
Promise = Literal["idempotent", "findable", "neither"]


class Action(Enum):
    """What to do about a step of which there is a record, or none."""

    SUBMIT = "submit"
    #: Submit with the same id: if the job exists, the provider gives it back.
    SUBMIT_SAME_ID = "submit with the same id"
    #: Search the provider for the id, more than once, since listings lag; submit if it is nowhere.
    SEARCH = "search, then submit"
    #: Take up the job by its id: wait for it, or fetch its samples if it is done.
    ATTACH = "attach"
    #: Submit under the id of the next attempt.
    NEXT_ATTEMPT = "next attempt"
    #: Stop, and let a person decide: the job may have been paid for, and cannot be found.
    ASK = "ask"


def action_for(record: Record | None, promise: Promise) -> Action:
    """What to do about a step.

    Args:
        record: the latest record of the job that has this step; None if there is none.
        promise: what the device promises.

    Raises:
        InvalidValueError: if no device can promise this.
    """
    if promise not in _UNKNOWN:
        raise InvalidValueError(
            f"a device's submission must be one of {', '.join(_UNKNOWN)}, but got {promise!r}"
        )
    if record is None:
        return Action.SUBMIT
    if record.state in ("failed", "abandoned"):
        return Action.NEXT_ATTEMPT
    if record.job_id is not None:
        return Action.ATTACH
    return _UNKNOWN[promise]


# For a job that was to be submitted, of which nobody knows whether it was.
_UNKNOWN: dict[Promise, Action] = {
    "idempotent": Action.SUBMIT_SAME_ID,
    "findable": Action.SEARCH,
    "neither": Action.ASK,
}
