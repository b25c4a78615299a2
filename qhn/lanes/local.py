"""The desk of a broker in the same process, for training without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from qhn.lanes.amounts import Usage
from qhn.lanes.broker import Broker
from qhn.lanes.desk import Admission, Asking, OpenPlace, Reply, says_nothing
from qhn.lanes.ledger import Outcome


class LocalDesk:
    """See `qhn.lanes.desk.Desk`. It sleeps where a broker of its own would hold an answer back.

    Args:
        queue: the name of the queue.
        open_place: opens the part of a store that belongs to the queue.
        clock: gives the time, seconds since 1970.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        queue: str,
        open_place: OpenPlace,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._broker = Broker(queue, open_place, clock)
        self._clock = clock
        self._sleep = sleep

    def ask(self, asking: Asking, wait_s: float = 0.0, known: int | None = None) -> Reply:
        """See `Desk.ask`."""
        reply = self._awake().ask(asking)
        if wait_s > 0 and says_nothing(reply, known):
            # Only time can change anything, since nobody else is there.
            at = self._broker.wake_at
            self._sleep(wait_s if at is None else min(wait_s, max(0.0, at - self._clock())))
            reply = self._awake().ask(asking)
        return reply

    def admit(self, token: int, holder: str) -> Admission | None:
        """See `Desk.admit`."""
        return self._awake().admit(token, holder)

    def submitted(self, token: int, holder: str, job_id: str) -> bool:
        """See `Desk.submitted`."""
        return self._awake().submitted(token, holder, job_id)

    def renew(self, token: int, holder: str) -> bool:
        """See `Desk.renew`."""
        return self._awake().renew(token, holder)

    def release(
        self,
        token: int,
        holder: str,
        outcome: Literal["done", "failed", "unused"],
        used: Usage | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.release`."""
        return self._awake().release(token, holder, outcome, used, why)

    def settle(
        self,
        submission: str,
        outcome: Outcome,
        used: Usage | None = None,
        job_id: str | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.settle`."""
        return self._awake().settle(submission, outcome, used, job_id, why)

    def gone(self, holder: str) -> None:
        """See `Desk.gone`."""
        self._awake().gone(holder)

    def close(self) -> None:
        """Let another broker take over."""
        self._broker.close()

    def _awake(self) -> Broker:
        at = self._broker.wake_at
        if at is not None and self._clock() >= at:
            self._broker.wake()
        return self._broker
