"""The lock under which it is decided which trials of a store belong to which sweeps.

A deletion reads the files of all other sweeps and removes the trials that none of them plans. If
another sweep wrote its file in between, it would count on trials that are about to disappear. So
the file of a sweep is written, and trials are deleted, only under this lock. A run reads which
trials are done after it has written its file: by then they are either gone or safe.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from qhn.core.errors import StoreError
from qhn.sweeps.store.backend import Backend

# To write a file takes an instant, and to delete thousands of trials takes seconds.
_PATIENCE_S = 60.0


@contextmanager
def ownership(backend: Backend) -> Iterator[None]:
    """Hold the lock of the whole store during a ``with`` statement. It must not be held for long.

    Raises:
        StoreError: if another process has held it for a minute.
    """
    lock = backend.lock("")
    if not lock.acquire(_PATIENCE_S, f"process {os.getpid()} on {socket.gethostname()}"):
        raise StoreError(
            "a sweep cannot begin while trials are deleted, but "
            f"{lock.holder() or 'another process'} has kept the store {backend.shown} for "
            f"{_PATIENCE_S:.0f} s; wait for it, or end it"
        )
    try:
        yield
    finally:
        lock.release()
