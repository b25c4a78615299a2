"""The broker of a queue as a Ray actor that all sweeps of a cluster share."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import ray

from qhn.core.errors import FencedError
from qhn.lanes.amounts import Usage
from qhn.lanes.broker import Broker
from qhn.lanes.desk import Admission, Asking, OpenPlace, Reply, says_nothing
from qhn.lanes.ledger import Outcome

#: The namespace of Ray in which brokers have their names.
NAMESPACE = "qhn"
#: Seconds without any call after which a broker lets those of other Rays at the stores. It goes on
#: with the ledgers when somebody asks again.
IDLE_S = 60.0

T = TypeVar("T")


def name_of(queue: str) -> str:
    """The name of the actor that is the broker of a queue."""
    return f"qhn-lane-{queue}"


class BrokerActor:
    """A `Broker` whose calls come through Ray, with answers that may be held back.

    All calls run on one thread, one after another, and only waiting lets others come between. So
    the broker needs no locks, and a write to the ledger delays everybody, which is as it must be.

    Args:
        queue: the name of the queue.
        open_place: opens the part of a store that belongs to the queue.
        umask: that of the user's own process. Ray's processes inherit a stricter one, with which
            nobody else could read the ledger in a store that a group of users shares.
    """

    def __init__(self, queue: str, open_place: OpenPlace, umask: int) -> None:
        os.umask(umask)
        self._broker = Broker(queue, open_place, time.time, self._tell)
        self._news: dict[str, asyncio.Event] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def ask(self, asking: Asking, wait_s: float, known: int | None) -> Reply:
        """See `Desk.ask`."""
        until = time.monotonic() + wait_s
        holder = asking.request.holder
        news = self._news.setdefault(holder, asyncio.Event())
        try:
            while True:
                news.clear()
                reply = self._do(lambda: self._broker.ask(asking))
                left = until - time.monotonic()
                if left <= 0 or not says_nothing(reply, known):
                    return reply
                try:
                    await asyncio.wait_for(news.wait(), left)
                except TimeoutError:
                    return reply
        finally:
            self._news.pop(holder, None)

    async def admit(self, token: int, holder: str) -> Admission | None:
        """See `Desk.admit`."""
        return self._do(lambda: self._broker.admit(token, holder))

    async def submitted(self, token: int, holder: str, job_id: str) -> bool:
        """See `Desk.submitted`."""
        return self._do(lambda: self._broker.submitted(token, holder, job_id))

    async def renew(self, token: int, holder: str) -> bool:
        """See `Desk.renew`."""
        return self._do(lambda: self._broker.renew(token, holder))

    async def release(
        self,
        token: int,
        holder: str,
        outcome: Literal["done", "failed", "unused"],
        used: Usage | None,
        why: str,
    ) -> bool:
        """See `Desk.release`."""
        return self._do(lambda: self._broker.release(token, holder, outcome, used, why))

    async def settle(
        self, submission: str, outcome: Outcome, used: Usage | None, job_id: str | None, why: str
    ) -> bool:
        """See `Desk.settle`."""
        return self._do(lambda: self._broker.settle(submission, outcome, used, job_id, why))

    async def gone(self, holder: str) -> None:
        """See `Desk.gone`."""
        self._do(lambda: self._broker.gone(holder))

    def _do(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FencedError:
            # Whoever calls next finds no broker, and starts one.
            ray.actor.exit_actor()
            raise
        finally:
            self._set_timer()
            self._stay()

    def _tell(self, holder: str) -> None:
        if (news := self._news.get(holder)) is not None:
            news.set()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if (at := self._broker.wake_at) is not None:
            delay = max(0.0, at - time.time())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _stay(self) -> None:
        """Keep the stores for another while. Whoever waits or holds a lease calls more often."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._broker.close)

    def _wake(self) -> None:
        try:
            self._broker.wake()
        except Exception:  # noqa: BLE001 - the next call meets it again, and its caller is told
            return
        self._set_timer()


def start_broker(queue: str, open_place: OpenPlace, umask: int) -> Any:
    """The actor that is the broker of a queue, which is started unless it is there.

    It belongs to no driver, and outlives those that use it.
    """
    # No CPU is reserved for it, as for the tables of trials: trials that hold all CPUs would wait
    # for their broker for ever. Calls of all holders must be able to wait at the same time. No call
    # is repeated by Ray itself, since the client knows better what to do.
    # Without a strategy of its own it would belong to the placement group of the trial that asked
    # first. Ray would end it with that trial, and wait for the group for ever to start it again.
    return (
        ray.remote(BrokerActor)
        .options(
            name=name_of(queue),
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=10_000,
            scheduling_strategy="DEFAULT",
        )
        .remote(queue, open_place, umask)
    )
