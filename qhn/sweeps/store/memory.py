"""A store in the memory of this process, for tests. It is gone when the process ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from qhn.core.errors import DamagedError
from qhn.sweeps.store.backend import (
    check_folder,
    check_key,
    check_prefix,
    put_unless_outranked,
)

# `threading.Lock.acquire` takes this for "wait as long as it takes".
_NO_TIME_LIMIT = -1.0


class MemoryBackend:
    """Contents in a dictionary, for the threads of one process.

    Args:
        name: the text after ``memory://`` in its address.
    """

    def __init__(self, name: str) -> None:
        self.uri = f"memory://{name}"
        self.shown = self.uri
        self._contents: dict[str, bytes] = {}
        self._locks: dict[str, MemoryLock] = {}

    def get(self, key: str) -> bytes | None:
        """See `Backend.get`."""
        check_key(key)
        return self._contents.get(key)

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes | DamagedError]:
        """See `Backend.get_many`."""
        found = {key: self.get(key) for key in keys}
        return {key: content for key, content in found.items() if content is not None}

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """See `Backend.put`. ``durable`` has no meaning here."""
        check_key(key)
        self._contents[key] = content

    def put_if_newer(
        self, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
    ) -> bool:
        """See `Backend.put_if_newer`."""
        return put_unless_outranked(self, key, content, rank, rank_of)

    def move(self, key: str, target: str) -> None:
        """See `Backend.move`."""
        check_key(key)
        check_key(target)
        content = self._contents.pop(key, None)
        if content is not None:
            self._contents[target] = content

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        check_key(key)
        self._contents.pop(key, None)

    def list(self, prefix: str = "") -> list[str]:
        """See `Backend.list`."""
        check_prefix(prefix)
        return sorted(key for key in list(self._contents) if key.startswith(prefix))

    def folders(self, folder: str = "") -> tuple[str, ...]:
        """See `Backend.folders`."""
        prefix = f"{folder}/" if folder else ""
        rest = (key.removeprefix(prefix) for key in self.list(prefix))
        return tuple(sorted({key.partition("/")[0] for key in rest if "/" in key}))

    def size(self, *folders: str) -> int:
        """See `Backend.size`."""
        for folder in folders:
            check_folder(folder)
        keys = [key for folder in folders for key in self.list(f"{folder}/")]
        return sum(len(self._contents.get(key, b"")) for key in keys)

    def remove(self, *folders: str) -> None:
        """See `Backend.remove`."""
        for folder in folders:
            check_folder(folder)
        for key in [key for folder in folders for key in self.list(f"{folder}/")]:
            self._contents.pop(key, None)

    def lock(self, folder: str) -> MemoryLock:
        """See `Backend.lock`."""
        check_prefix(f"{folder}/" if folder else "")
        return self._locks.setdefault(folder, MemoryLock())


class MemoryLock:
    """A lock between the threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._note = ""

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """See `Lock.acquire`."""
        taken = self._lock.acquire(timeout=_NO_TIME_LIMIT if patience_s is None else patience_s)
        if taken:
            self._note = note
        return taken

    def release(self) -> None:
        """See `Lock.release`."""
        self._lock.release()

    def lost_to(self) -> str | None:
        """See `Lock.lost_to`. Nobody takes this lock from its holder."""
        return None

    def holder(self) -> str | None:
        """See `Lock.holder`."""
        return (self._note or "another thread") if self._lock.locked() else None
