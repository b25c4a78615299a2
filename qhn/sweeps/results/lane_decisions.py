"""What a person decides about a job of which nobody can find out what became of it."""

from __future__ import annotations

import time
from dataclasses import replace

from qhn.core.errors import InvalidValueError, NotFoundError, StoreError
from qhn.lanes import Record, Usage
from qhn.lanes.ledger import Outcome, first_token
from qhn.sweeps.store import Store
from qhn.sweeps.store.lane_place import open_place


def give_up(store: Store, queue: str, submission: str) -> Record:
    """Give a job up. What was reserved for it counts as used.

    Returns:
        The record of the job as it is now.

    Raises:
        NotFoundError: if no such job is in the ledger.
        InvalidValueError: if it has ended already.
        StoreError: if the ledger cannot be written, or if a broker serves the queue.
    """
    return _end(store, queue, submission, "abandoned", "given up by hand")


def let_resubmit(store: Store, queue: str, submission: str) -> Record:
    """Say that a job never reached the provider. It costs nothing, and its steps go out again.

    Raises:
        NotFoundError: if no such job is in the ledger.
        InvalidValueError: if it has ended already, or if the provider has given it an id.
        StoreError: if the ledger cannot be written, or if a broker serves the queue.
    """
    return _end(store, queue, submission, "failed", "never submitted, as was said by hand")


def _end(store: Store, queue: str, submission: str, outcome: Outcome, why: str) -> Record:
    place = open_place(store.uri, queue)
    # A broker keeps the state of its queue in memory, and would not see what is written here.
    if (broker := place.holder()) is not None:
        raise StoreError(
            f"no sweep may use the queue {queue!r} while a job is decided about, but its broker "
            f"({broker}) does; stop the sweeps that use it, and the Ray that they were attached to"
        )
    place.occupy()
    try:
        record = _find(place.ledger.read(), queue, submission)
        if record.is_over:
            raise InvalidValueError(
                f"only a job that has not ended can be decided about, but {submission} is "
                f"{record.state}"
            )
        if outcome == "failed" and record.job_id is not None:
            raise InvalidValueError(
                f"only a job that never reached the provider may be submitted again, but "
                f"{submission} is there as {record.job_id}; run the sweep, which takes it up, or "
                "give it up with --abandon"
            )
        members = tuple(
            replace(share, used=share.wanted if outcome == "abandoned" else Usage())
            for share in record.members
        )
        token = max(record.token, first_token(place.ledger.claim()))
        ended = replace(
            record, state=outcome, members=members, token=token, at=time.time(), why=why
        )
        place.ledger.append(ended)
        return ended
    finally:
        place.leave()


def _find(records: list[Record], queue: str, submission: str) -> Record:
    for record in records:
        if submission in (record.submission, *(share.submission for share in record.members)):
            return record
    raise NotFoundError(
        f"no job {submission!r} is in the ledger of {queue}; `qhn lanes jobs {queue}` lists all"
    )
