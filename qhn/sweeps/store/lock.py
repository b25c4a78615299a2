"""One driver per sweep: a lock that dies with its holder, so that a killed sweep is never stuck."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from qhn.core.errors import StoreError

# Whoever looks whether the lock is held lets go at once; a killed driver, within moments.
_PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.02


class SweepLock:
    """An exclusive lock on one sweep's folder, held by the driver's process.

    The operating system drops it when the process ends, however it ends. It guards against two
    drivers on machines that share a file system with working ``flock`` (local disks, NFS 4).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"the store must be writable, but opening {self._path} failed: {error.strerror}; "
                "mend the permissions or choose another folder with --store"
            ) from error
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
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.truncate(0)
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
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "another process"
