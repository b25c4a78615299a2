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
    """An exclusive lock on a file, which the operating system drops when the process ends.

    Args:
        path: the file; it is made, and never removed.
        make: makes the folder of the file, and says with which mode to make the file (None for
            the process's default).
    """

    def __init__(self, path: Path, make: Callable[[Path], int | None]) -> None:
        self._path = path
        self._make = make
        self._file: FileLock | None = None
        self._noted = False

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """See `Lock.acquire`."""
        with self._store_errors():
            mode = self._make(self._path.parent)
            # A file that marks a lock by being there would outlive a killed holder.
            make = partial(FileLock, fallback_to_soft=False, poll_interval=_TRY_EVERY_S)
            file = make(self._path) if mode is None else make(self._path, mode=mode)
            try:
                file.acquire(timeout=-1 if patience_s is None else patience_s)
            except Timeout:
                return False
        self._file, self._noted = file, bool(note)
        if note:
            # Who holds it is a courtesy: a full disk is no reason not to finish what is left.
            with suppress(OSError):
                self._path.write_text(note, encoding="utf-8")
        return True

    def release(self) -> None:
        """See `Lock.release`."""
        if self._file is None:
            return
        if self._noted:
            with suppress(OSError):
                os.truncate(self._path, 0)
        with suppress(OSError):
            self._file.release()
        self._file = None

    def holder(self) -> str | None:
        """See `Lock.holder`."""
        with self._store_errors():
            try:
                file = self._path.open("r", encoding="utf-8", errors="replace")
            except (FileNotFoundError, NotADirectoryError):
                return None
            with file:
                try:
                    # `filelock` locks exclusively alone, for which it opens the file for writing:
                    # two who look would take each other for the holder, and nobody could look
                    # into a store that is not theirs to write.
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
