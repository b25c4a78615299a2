"""The desk of a queue's broker, as trial actors use it: calls through Ray, repeated if need be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from qhn.core.errors import FencedError, RayError
from qhn.lanes.amounts import Usage
from qhn.lanes.desk import Admission, Asking, OpenPlace, Reply
from qhn.lanes.ledger import Outcome
from qhn.lanes.shell import start_broker

#: For how long a call is repeated that meets no living broker. A process of Ray takes a second or
#: two to start, more on a busy machine.
PATIENCE_S = 120.0
# How long a call may take beyond the time for which it may be held back.
_REPLY_S = 60.0
_PAUSE_S = 0.1


class BrokerClient:
    """See `qhn.lanes.desk.Desk`. If the broker has died, another one is found or started.

    Args:
        queue: the name of the queue.
        open_place: opens the part of a store that belongs to the queue. It must be a function that
            other processes can import.
        umask: that of the user's own process; see `qhn.lanes.shell.BrokerActor`.
    """

    def __init__(self, queue: str, open_place: OpenPlace, umask: int = 0o077) -> None:
        self._queue = queue
        self._start: Callable[[], Any] = lambda: start_broker(queue, open_place, umask)
        self._actor: Any = None

    def ask(self, asking: Asking, wait_s: float = 0.0, known: int | None = None) -> Reply:
        """See `Desk.ask`."""
        found: Reply = self._call("ask", asking, wait_s, known, wait_s=wait_s)
        return found

    def admit(self, token: int, holder: str) -> Admission | None:
        """See `Desk.admit`."""
        found: Admission | None = self._call("admit", token, holder)
        return found

    def submitted(self, token: int, holder: str, job_id: str) -> bool:
        """See `Desk.submitted`."""
        return bool(self._call("submitted", token, holder, job_id))

    def renew(self, token: int, holder: str) -> bool:
        """See `Desk.renew`."""
        return bool(self._call("renew", token, holder))

    def release(
        self,
        token: int,
        holder: str,
        outcome: Literal["done", "failed", "unused"],
        used: Usage | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.release`."""
        return bool(self._call("release", token, holder, outcome, used, why))

    def settle(
        self,
        submission: str,
        outcome: Outcome,
        used: Usage | None = None,
        job_id: str | None = None,
        why: str = "",
    ) -> bool:
        """See `Desk.settle`."""
        return bool(self._call("settle", submission, outcome, used, job_id, why))

    def gone(self, holder: str) -> None:
        """See `Desk.gone`. Nobody waits for an answer: a term that runs out says the same."""
        if self._actor is not None:
            self._actor.gone.remote(holder)

    def _call(self, method: str, *arguments: object, wait_s: float = 0.0) -> Any:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                actor = self._actor = self._actor or self._start()
                reference = getattr(actor, method).remote(*arguments)
                return ray.get(reference, timeout=wait_s + _REPLY_S)
            except RayTaskError as error:
                # An error of the broker itself arrives inside one of Ray.
                if not isinstance(error.cause, FencedError):
                    raise error.cause from None
                why: Exception = error.cause
            except (RayActorError, GetTimeoutError, ValueError) as error:
                # ValueError is what Ray raises if the actor of this name dies while it is fetched.
                why = error
            self._actor = None
            if time.monotonic() >= until:
                raise RayError(
                    f"the broker of queue {self._queue!r} must answer, but for "
                    f"{PATIENCE_S:.0f} s it did not ({why}); run the sweep again"
                ) from why
            time.sleep(_PAUSE_S)
