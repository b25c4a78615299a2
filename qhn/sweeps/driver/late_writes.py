"""Writes of the driver to a store that may be away for a while."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from qhn.core.errors import DamagedError, NewerFormatError, StoreError

#: Seconds for which a write is tried again before the sweep ends; as long as trials wait.
PATIENCE_S = 300.0
_TRY_AGAIN_S = 2.0


class LateWrites:
    """Does writes in their order, and those that fail again later.

    Args:
        tell: is called with a line for people when the store cannot be used, and when it can again.
        clock: returns the time in seconds, from any beginning.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._left: deque[Callable[[], object]] = deque()
        self._tried = 0.0
        # Since when the store is away; None if it is not.
        self._since: float | None = None

    def do(self, write: Callable[[], object]) -> None:
        """Do a write now, or later if the store is away.

        Raises:
            StoreError: if the store does not come back.
        """
        self._left.append(write)
        if len(self._left) == 1:
            self._do_all()

    @property
    def is_waiting(self) -> bool:
        """Whether a write is left that the store has not taken yet."""
        return bool(self._left)

    def again(self) -> None:
        """Do what is left, if the last try was long enough ago.

        Raises:
            StoreError: if the store does not come back.
        """
        if self._left and self._clock() - self._tried >= _TRY_AGAIN_S:
            self._do_all()

    def finish(self) -> None:
        """Do all that is left, and wait for the store as long as it takes.

        Raises:
            StoreError: if the store does not come back.
        """
        while self._left:
            self._do_all()
            if self._left:
                self._sleep(_TRY_AGAIN_S)

    def _do_all(self) -> None:
        self._tried = self._clock()
        while self._left:
            try:
                self._left[0]()
            except (DamagedError, NewerFormatError):
                self._left.popleft()
                raise
            except StoreError as error:
                if self._since is None:
                    self._since = self._tried
                    self._tell(
                        f"the store cannot be used for now ({error}); the sweep waits for it, for "
                        f"{PATIENCE_S / 60:.0f} minutes at most"
                    )
                elif self._tried - self._since >= PATIENCE_S:
                    raise
                return
            self._left.popleft()
        if self._since is not None:
            self._since = None
            self._tell("the store can be used again")
