"""Lets one writer at a time own a sweep in MLflow, by claims in tags of its experiment.

MLflow cannot compare a tag and set it in one request. So every writer has a tag of its own, and the
rule is always the same: write your claim first, and then read all claims. Of two writers who do
that, the one who reads last sees both claims, so they can never overlook each other. This needs one
property of the tracking store: what was written successfully is seen by all later reads.

A newcomer first asks (`Claim.holds` is False). If several ask at the same time, the one with the
lowest token goes on. It writes that it holds the sweep, and reads once more.

No step compares the clocks of two machines to decide that a writer is dead. A newcomer takes a
sweep over only after it has watched the old claim for `LAPSE_S` seconds of its own clock and has
seen no change. The old writer stops by itself before that: it writes only within `LEASE_S` seconds
after its last renewal. If it wakes up in the moment in which it is replaced, both may give up, but
they never both go on. The wall clock merely saves time: if a claim was renewed a moment ago, the
newcomer is refused at once and need not watch.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from qhn.core.errors import OwnerError, TrackingError
from qhn.sweeps.tracking.claims import LEASE_S, Claim, Claims
from qhn.sweeps.tracking.watch import Clock, Watch

#: Seconds between two renewals.
RENEW_S = 15.0
_LOOK_EVERY_S = 0.5


class Lease:
    """The claim of one writer to one sweep.

    Args:
        claims: the claims of all writers.
        sweep: the name of the sweep.
        place: the address of the tracking store, for messages.
        store: the address of the writer's own store, for messages.
        token: the token of this claim. The store must have noted it already.
        former: tokens of this store's former writers. The store vouches that they have ended.
        recovered: called when the sweep was not owned for a while and is now owned again, before
            anything may be written. Others may have written to MLflow in between.
        clock: the times, and how to wait.
    """

    def __init__(
        self,
        claims: Claims,
        sweep: str,
        place: str,
        store: str,
        token: str,
        former: Collection[str] = (),
        recovered: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._claims = claims
        self._sweep, self._place = sweep, place
        self._recovered = recovered
        self._clock = clock or Clock()
        now = self._clock.wall_ms()
        self._own = Claim(token, False, 0, now, now, socket.gethostname(), os.getpid(), store)
        self._watch = Watch({token, *former}, self._clock)
        # One thread renews the claim, and another one releases it.
        self._lock = threading.Lock()
        self._valid_until = float("-inf")
        self._lost: OwnerError | None = None
        self._released = False

    def acquire(self, claims: Mapping[str, Claim]) -> None:
        """Own the sweep.

        It takes four requests, and one more for each claim that is left of somebody who has died.
        If somebody else has died a while ago, it takes some `LAPSE_S` seconds of watching as well.

        Args:
            claims: all claims, as they were read a moment ago.

        Raises:
            OwnerError: if another writer owns the sweep, or will own it in a moment.
            TrackingError: if the tracking store cannot be used.
        """
        self._refuse_or_wait(claims)  # before anything is written
        try:
            self._write(holds=False)
            while self._refuse_or_wait(claims := self._claims.read()):
                self._clock.sleep(_LOOK_EVERY_S)
                # Whoever waits as well must see that we are alive.
                if self._clock.wall_ms() - self._own.renewed_ms >= RENEW_S * 1000:
                    self._write(holds=False)
            sent = self._write(holds=True)
            claims = self._claims.read()
            living = {rival.token for rival in self._watch.living(claims)}
            for rival in claims.values():
                if rival.token in living and rival.holds:
                    raise self._refusal(rival)
            # Their writers are dead, or have ended. Should one wake up, it will see our claim.
            for token in claims.keys() - living - {self._own.token}:
                self._claims.remove(token)
            self._valid_until = sent + LEASE_S
            self.check()
        except BaseException:
            self._withdraw()
            raise

    def check(self) -> None:
        """Check that the sweep is owned at this moment.

        Raises:
            OwnerError: if it has another owner by now.
            TrackingError: if the claim must be renewed first.
        """
        if self._lost is not None:
            raise self._lost
        if self._clock.seconds() >= self._valid_until:
            raise TrackingError(
                f"{self._place} must be reached every {LEASE_S:.0f} s by the writer of the sweep "
                f"{self._sweep!r}, but could not be for longer; writing goes on when it answers"
            )

    def renew(self) -> None:
        """Say that this writer is alive. One request, or two if that was not said for too long.

        Raises:
            TrackingError: if the tracking store cannot be used. Then call this again.
        """
        with self._lock:
            if self._lost is not None or self._released:
                return
            sent = self._write(holds=True)
            # The time is read after the answer, because the request itself may take too long.
            if self._clock.seconds() >= self._valid_until:
                for rival in self._watch.living(self._claims.read()):
                    if rival.holds:
                        self._lost = self._refusal(rival)
                        self._withdraw()
                        return
                self._recovered()
            self._valid_until = sent + LEASE_S

    def release(self) -> None:
        """Let others own the sweep. If the tracking store cannot be used, the claim lapses."""
        with self._lock:
            if not self._released:
                self._released = True
                self._valid_until = float("-inf")
                if self._lost is None:
                    self._withdraw()

    def _refuse_or_wait(self, claims: Mapping[str, Claim]) -> bool:
        """Whether another claim stands against ours, and it is not known yet whose it will be.

        Raises:
            OwnerError: if another writer goes first.
        """
        wait = False
        for rival in self._watch.living(claims):
            # Of two who only ask, the one with the higher token gives way as soon as it sees the
            # other one. It may have seen nobody yet, and will hold the sweep in a moment.
            first = rival.holds or rival.token < self._own.token
            if first and self._watch.is_alive(rival):
                raise self._refusal(rival)
            wait = True
        return wait

    def _write(self, holds: bool) -> float:
        """Write our claim, and return the time before the request."""
        sent = self._clock.seconds()
        own = self._own
        now = self._clock.wall_ms()
        self._own = replace(own, holds=holds, count=own.count + 1, renewed_ms=now)
        self._claims.put(self._own)
        return sent

    def _withdraw(self) -> None:
        with suppress(TrackingError):
            self._claims.remove(self._own.token)

    def _refusal(self, rival: Claim) -> OwnerError:
        return rival.refusal(self._sweep, self._place, self._clock.wall_ms())
