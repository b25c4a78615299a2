"""One driver per sweep: a lock that dies with its holder, so that a killed sweep is never stuck."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from qhn.core.errors import StoreError


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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _process(file)
            if holder is not None:
                file.close()
                raise StoreError(
                    f"one driver at a time may run sweep {self._path.parent.name!r}, but process "
                    f"{holder} is running it; wait for it, or stop it with: kill {holder}"
                ) from None
            # Nobody drives: `holder` of another process is looking, and lets go at once.
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
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

    def holder(self) -> int | None:
        """Process id of the driver that holds the lock now, or None."""
        if not self._path.exists():
            return None
        with self._path.open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _process(file)
        return None


def _process(file: IO[str]) -> int | None:
    """The live process that the lock's file names, or None."""
    file.seek(0)
    text = file.read().strip()
    try:
        os.kill(int(text), 0)
    except (ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    return int(text)
