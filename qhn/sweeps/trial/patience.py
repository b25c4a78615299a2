"""How long a trial waits for a store that cannot be used: one that is full, read-only or away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from qhn.core.errors import DamagedError, NewerFormatError, StoreError
from qhn.sweeps.store import open_store

#: Seconds for which a trial waits for its store before the sweep ends.
PATIENCE_S = 300.0
# Pauses between two tries. They grow, but Tune must hear of the trial every few seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class StorePatience:
    """Decides after each failure of the store whether to try again, and when.

    Args:
        clock: returns the time in seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._failures = 0

    def over(self) -> None:
        """Note that the store can be used."""
        self._since, self._failures = None, 0

    def pause(self, error: StoreError, is_away: Callable[[], bool]) -> float | None:
        """Seconds to wait before the next try; None if there is no sense in another one.

        Args:
            error: what happened.
            is_away: returns whether the whole store cannot be used. It is asked at the first
                failure. Where only this trial cannot be stored, waiting would not help.
        """
        if isinstance(error, DamagedError | NewerFormatError):
            return None
        if self._since is None:
            if not is_away():
                return None
            self._since = self._clock()
        if self._clock() - self._since >= PATIENCE_S:
            return None
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return pause


def is_away(uri: str) -> bool:
    """Whether nothing can be written to the store at an address now."""
    key = f"lanes/probe-{secrets.token_hex(8)}.json"
    try:
        backend = open_store(uri).backend
        backend.put(key, b"{}", durable=False)
        backend.delete(key)
    except NewerFormatError:
        return False
    except StoreError:
        return True
    return False
