"""One driver per sweep, and one writer at a time per trial.

The locks die with their holders, so that a killed sweep is never stuck.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from qhn.core.errors import StoreError

# Whoever looks whether the lock is held lets go at once; a killed driver, within moments.
_PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.02


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold every other process back for a moment, by a lock on this file, which is made.

    Raises:
        StoreError: if it cannot be made or locked.
    """
    with _opened(path) as file:
        with _store_errors(path):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store must be writable, but locking {path} failed: {error.strerror or error}; "
            "free space, mend the permissions or choose another folder with --store"
        ) from error


def _opened(path: Path) -> IO[str]:
    with _store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")


class SweepLock:
    """An exclusive lock on one sweep's folder, held by the driver's process.

    The operating system drops it when the process ends, however it ends. It guards against two
    drivers on machines that share a file system with working ``flock`` (local disks, NFS 4).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        file = _opened(self._path)
        deadline = time.monotonic() + _PATIENCE_S
        while not _lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = _holder(file)
                file.close()
                raise StoreError(
                    f"one driver at a time may run sweep {self._path.parent.name!r}, but {holder} "
                    "is running it; wait for it, or end it there with: kill PROCESS"
                )
            time.sleep(_LOOK_EVERY_S)
        self._file = file
        # Who holds it is a courtesy: a full disk is no reason not to finish what is left.
        with suppress(OSError):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.truncate(0)
            with suppress(OSError):
                self._file.close()
            self._file = None

    def holder(self) -> str | None:
        """Who holds the lock now, in words, or None."""
        try:
            with self._path.open("r", encoding="utf-8") as file:
                return None if _lock(file, fcntl.LOCK_SH) else _holder(file)
        except FileNotFoundError:
            return None


def _lock(file: IO[str], kind: int) -> bool:
    with _store_errors(Path(file.name)):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "another process"
