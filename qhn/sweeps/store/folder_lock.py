"""The lock of a folder on disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from qhn.core.errors import StoreError

_TRY_EVERY_S = 0.02


class FolderLock:
    """An exclusive lock on a file, which the operating system releases when the process ends.

    Args:
        path: the lock file. It is made if it is missing, and never removed.
        make: a function that makes the folder of the file, and gives the permissions of a new file
            (None for the default of the process).
    """

    # The file is never removed. If it were, a process that waits for the old file and another one
    # that makes a new file could both have a lock.

    def __init__(self, path: Path, make: Callable[[Path], int | None]) -> None:
        self._path = path
        self._make = make
        self._file: FileLock | None = None
        self._noted = False

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """See `Lock.acquire`."""
        with self._store_errors():
            mode = self._make(self._path.parent)
            # The lock is one of the operating system (flock). It must not fall back to a "soft"
            # lock, which is held as long as its file exists (O_EXCL): if the holder were killed,
            # the file would stay and nobody could take the lock any more.
            make = partial(FileLock, fallback_to_soft=False, poll_interval=_TRY_EVERY_S)
            file = make(self._path) if mode is None else make(self._path, mode=mode)
            try:
                file.acquire(timeout=-1 if patience_s is None else patience_s)
            except Timeout:
                return False
        self._file, self._noted = file, bool(note)
        if note:
            # The note only helps people. If it cannot be written, for example on a full disk, the
            # lock is still held.
            with suppress(OSError):
                self._path.write_text(note, encoding="utf-8")
        return True

    def release(self) -> None:
        """See `Lock.release`."""
        if self._file is None:
            return
        if self._noted:
            # The note goes first: as soon as the lock is released, the next holder writes its own.
            with suppress(OSError):
                os.truncate(self._path, 0)
        with suppress(OSError):
            self._file.release()
        self._file = None

    def lost_to(self) -> str | None:
        """See `Lock.lost_to`. The operating system takes a lock from no process that lives."""
        return None

    def holder(self) -> str | None:
        """See `Lock.holder`."""
        with self._store_errors():
            try:
                file = self._path.open("r", encoding="utf-8", errors="replace")
            except (FileNotFoundError, NotADirectoryError):
                return None
            with file:
                try:
                    # A shared lock can be taken as long as nobody has the exclusive one. `filelock`
                    # has no shared locks, and opens the file for writing. With an exclusive lock,
                    # two processes that only look would take each other for the holder; and opened
                    # for writing, nobody could look into a store that is read-only for them.
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return file.read().strip() or "another process"
        return None

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the store must be writable, but locking {self._path} failed: "
                f"{error.strerror or error}; free space, mend the permissions or choose another "
                "folder with --store"
            ) from error
