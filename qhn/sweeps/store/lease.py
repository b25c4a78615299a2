"""Leases: what a store of objects has in place of file locks.

A lease is an object that says who holds it. It is taken, renewed and given back by writes that
happen only if the object is still the one that was read, so that of several processes one succeeds.
Its holder renews it in the background. If the holder dies, or cannot reach the store, the lease is
over after its term, and the next process takes it with a token that is greater by one.

A lease is never held by two processes at a time if these two things are true:

- The clocks of the machines run at about the right speed. It does not matter what time they show:
  a holder counts the seconds since it asked for its last renewal, and whoever wants the lease looks
  how old it is by the clock of the server alone.
- The clocks of the server's own machines agree within two seconds.

A process that is paused for longer than the term does not notice that. So `ObjectBackend` calls
`Lease.check` before and after each write below the folder of a lease that this process has taken.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from qhn.core.errors import FencedError, StoreError
from qhn.sweeps.store.objects import Objects
from qhn.sweeps.store.process_name import is_known_alive, process_name
from qhn.sweeps.store.tenure import Tenure, read_tenure

#: Seconds after which a lease is over that was not renewed.
TERM_S = 20.0
# A lease is renewed so often within a term that two renewals may fail.
_RENEWALS = 4
# Pauses between two looks at a lease that another process holds.
_LOOK_AFTER_S = (0.05, 1.0)


def _now() -> float:
    """Seconds by a clock that goes on while the machine sleeps, where the system has one."""
    number = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(number)


class Lease:
    """A lock that its holder must renew; see `Lock`.

    Args:
        objects: the place of the lease.
        key: the key of its object.
        shown: the address of the object, for messages.
        term_s: seconds for which it holds after each renewal.
        now: the clock, in seconds from any beginning.
        sleep: waits for some seconds.
        renews: whether it is renewed in the background while it is held.
    """

    def __init__(
        self,
        objects: Objects,
        key: str,
        shown: str,
        term_s: float = TERM_S,
        *,
        now: Callable[[], float] = _now,
        sleep: Callable[[float], None] = time.sleep,
        renews: bool = True,
    ) -> None:
        self._objects = objects
        self._key = key
        self._shown = shown
        self._term_s = term_s
        self._now = now
        self._sleep = sleep
        self._renews = renews
        # `_changing` protects what follows from the thread that renews.
        self._changing = threading.Lock()
        self._mine: Tenure | None = None
        self._tag = ""
        self._until = 0.0
        self._lost: str | None = None
        self._given_back = threading.Event()

    @property
    def token(self) -> int | None:
        """The fencing token of this holder; None if it does not hold the lease."""
        return None if self._mine is None else self._mine.token

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """See `Lock.acquire`.

        A holder that does not show that it lives is waited for until its term is over, even if
        that takes longer than ``patience_s``.
        """
        began, pause = self._now(), _LOOK_AFTER_S[0]
        first: str | None = None
        while True:
            found = self._objects.read(self._key)
            there = None if found is None else read_tenure(found.content, self._shown)
            if found is None or there is None or there.is_over(found.age_s):
                tag = None if found is None else found.tag
                if self._take(1 if there is None else there.token + 1, tag, note):
                    return True
            else:
                first = first or found.tag
                lives = first != found.tag or is_known_alive(there.process)
                waited = self._now() - began
                if patience_s is not None and lives and waited >= patience_s:
                    return False
            self._sleep(pause * random.uniform(0.5, 1.0))
            pause = min(1.5 * pause, _LOOK_AFTER_S[1])

    def _take(self, token: int, tag: str | None, note: str) -> bool:
        self._objects.check_conditions(self._key)
        mine = Tenure(token, secrets.token_hex(8), self._term_s, note, process_name())
        asked = self._now()
        new = self._objects.write_if(self._key, mine.to_bytes(), tag)
        if new is None:
            # The write may have happened all the same, if its first answer was lost.
            found = self._objects.read(self._key)
            if found is None or read_tenure(found.content, self._shown).by != mine.by:
                return False
            new = found.tag
        with self._changing:
            self._mine, self._tag, self._until = mine, new, asked + self._term_s
            self._lost = None
            self._given_back = threading.Event()
        if self._renews:
            arguments = (self._given_back, self._term_s / _RENEWALS)
            threading.Thread(
                target=self._keep, args=arguments, name="qhn-lease", daemon=True
            ).start()
        return True

    def _keep(self, given_back: threading.Event, pause_s: float) -> None:
        """Renew the lease until it was given back or lost."""
        while not given_back.wait(pause_s):
            with suppress(StoreError), self._changing:
                if given_back.is_set() or self._lost is not None:
                    return
                self._renew()

    def renew(self) -> None:
        """Renew the lease now, unless another process has taken it.

        Raises:
            StoreError: if the store cannot be used.
        """
        with self._changing:
            self._renew()

    def _renew(self) -> None:
        mine = self._mine
        if mine is None or self._lost is not None:
            return
        # After a lost answer the object is ours, and has another tag than we know.
        for _ in range(2):
            again = replace(mine, renewals=mine.renewals + 1)
            asked = self._now()
            new = self._objects.write_if(self._key, again.to_bytes(), self._tag)
            if new is not None:
                self._mine, self._tag, self._until = again, new, asked + self._term_s
                return
            found = self._objects.read(self._key)
            there = None if found is None else read_tenure(found.content, self._shown)
            if found is None or there is None or there.by != mine.by:
                self._lost = (there and there.note) or "another process"
                return
            self._tag = found.tag

    def check(self) -> None:
        """Make sure that a lease which was taken and not given back is still held.

        This asks the server only if the lease was not renewed in time.

        Raises:
            FencedError: if another process has taken it.
            StoreError: if it could not be renewed.
        """
        if self._mine is None:
            return
        if self._lost is None and self._now() >= self._until:
            with self._changing:
                if self._now() >= self._until:
                    self._renew()
        if self._lost is not None:
            raise FencedError(
                f"what lies beside {self._shown} may be written only by the process that holds it, "
                f"but {self._lost} has taken it over, since this one was paused or could not reach "
                f"the store for {self._term_s:g} s; wait for that process, or run this again"
            )
        if self._now() >= self._until:
            raise StoreError(
                f"the lease {self._shown} must be renewed every {self._term_s:g} s, but that "
                "failed more than once; run this again"
            )

    def lost_to(self) -> str | None:
        """See `Lock.lost_to`."""
        return self._lost

    def release(self) -> None:
        """See `Lock.release`."""
        self._given_back.set()
        with self._changing:
            mine, self._mine = self._mine, None
            if mine is None or self._lost is not None:
                return
            # If this fails, the lease is over after its term.
            with suppress(StoreError):
                free = replace(mine, by=None, note="", process=None)
                self._objects.write_if(self._key, free.to_bytes(), self._tag)

    def holder(self) -> str | None:
        """See `Lock.holder`."""
        found = self._objects.read(self._key)
        there = None if found is None else read_tenure(found.content, self._shown)
        if found is None or there is None or there.is_over(found.age_s):
            return None
        return there.note or "another process"
